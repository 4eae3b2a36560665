"""Mask AP on cases worked out by hand, and against pycocotools where it is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.evaluation.score import EvaluationOptions, evaluate

CATEGORIES = [(1, "road", 0), (3, "car", 1), (4, "bus", 1)]
Folder = Callable[..., Path]


def _ap(folder: Path, write_folder: Folder, predicted: tuple, true: tuple) -> tuple[float | None, float | None]:
    """`predicted`: (ids, {segment: (class, score)}), `true`: (ids, {segment: class}, crowd)."""
    rows = [{"id": i, "category_id": c, **({} if s is None else {"score": s})} for i, (c, s) in predicted[1].items()]
    result = write_folder(folder / "r", {"0": (np.array(predicted[0]), rows)}, CATEGORIES)
    rows = [{"id": i, "category_id": c, "iscrowd": int(i in true[2])} for i, c in true[1].items()]
    truth = write_folder(folder / "t", {"0": (np.array(true[0]), rows)}, CATEGORIES)
    found = evaluate(result, truth, EvaluationOptions(no_assignment=True))
    return found.ap, found.ap50


def test_one_of_two_found_ranks_second(tmp_path: Path, write_folder: Folder) -> None:
    """A wrong detection first, then a right one of IoU 1: precision 1/2 up to recall 1/2, 51 of 101 recalls."""
    predicted = ([[1, 1, 0, 0, 2, 2]], {1: (3, 0.5), 2: (4, 0.9)})
    true = ([[1, 1, 2, 2, 0, 0]], {1: 4, 2: 3}, ())
    ap, ap50 = _ap(tmp_path, write_folder, predicted, true)
    # class-agnostic: a car found as a bus is found
    assert ap == pytest.approx(0.5 * 51 / 101) and ap50 == pytest.approx(ap)


def test_iou_decides_at_how_many_thresholds(tmp_path: Path, write_folder: Folder) -> None:
    ap, ap50 = _ap(tmp_path, write_folder, ([[1, 1, 1, 0]], {1: (3, 0.9)}), ([[1, 1, 1, 1]], {1: 3}, ()))
    assert ap50 == 1 and ap == pytest.approx(0.6)  # 0.50 to 0.75, the limit included


def test_detection_in_crowd_is_ignored(tmp_path: Path, write_folder: Folder) -> None:
    predicted = ([[1, 1, 2, 2]], {1: (3, 0.9), 2: (3, 0.1)})
    true = ([[1, 1, 2, 2]], {1: 3, 2: 3}, (1,))
    assert _ap(tmp_path, write_folder, predicted, true) == (1, 1)


def test_null_without_scores_or_true_things(tmp_path: Path, write_folder: Folder) -> None:
    assert _ap(tmp_path / "a", write_folder, ([[1]], {1: (3, None)}), ([[1]], {1: 3}, ())) == (None, None)
    assert _ap(tmp_path / "b", write_folder, ([[1]], {1: (3, 0.5)}), ([[1]], {1: 1}, ())) == (None, None)


def test_at_most_100_detections_an_image(tmp_path: Path, write_folder: Folder) -> None:
    """101 things found exactly, the last one of lowest score: recall 100/101."""
    ids = np.arange(1, 102)[None]
    ap, _ = _ap(
        tmp_path,
        write_folder,
        (ids, {i: (3, 1 - i / 200) for i in range(1, 102)}),
        (ids, dict.fromkeys(range(1, 102), 3), ()),
    )
    assert ap == pytest.approx(100 / 101)


def test_equals_pycocotools(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    pytest.importorskip("pycocotools")
    for seed in range(5):
        result, truth = random_pair(tmp_path / str(seed), np.random.default_rng(seed), images=4)
        found = evaluate(result, truth)
        assert (found.ap, found.ap50) == pytest.approx(_coco(result, truth), abs=1e-9)


def _coco(result: Path, truth: Path) -> tuple[float, float]:
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rows: dict[str, list] = {"r": [], "t": []}
    images = []
    for kind, folder in (("r", result), ("t", truth)):
        tree = json.loads((folder / "panoptic.json").read_text())
        thing = {c["id"]: c["isthing"] for c in tree["categories"]}
        for number, annotation in enumerate(tree["annotations"]):
            ids = cv2.imread(str(folder / "panoptic" / annotation["file_name"])).astype(int) @ [65536, 256, 1]
            images.append({"id": number, "height": ids.shape[0], "width": ids.shape[1]})
            for s in annotation["segments_info"]:
                area = int((ids == s["id"]).sum())
                if thing[s["category_id"]] and area:
                    coded = mask.encode(np.asfortranarray((ids == s["id"]).astype(np.uint8)))
                    rows[kind].append(
                        {
                            "id": len(rows[kind]) + 1,
                            "image_id": number,
                            "category_id": 1,
                            "segmentation": coded,
                            "area": area,
                            "iscrowd": s["iscrowd"],
                            "score": s.get("score"),
                        }
                    )
    coco = COCO()
    coco.dataset = {
        "images": images[: len(images) // 2],
        "annotations": rows["t"],
        "categories": [{"id": 1, "name": "thing"}],
    }
    coco.createIndex()
    run = COCOeval(coco, coco.loadRes(rows["r"]), "segm")
    run.evaluate()
    run.accumulate()
    precision = run.eval["precision"][:, :, 0, 0, -1]
    return float(precision.mean()), float(precision[0].mean())
