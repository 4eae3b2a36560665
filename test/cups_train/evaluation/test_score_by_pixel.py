"""The whole evaluation against loops over pixels and sets: slow, and written another way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.evaluation.protocols import Matching
from cups_train.evaluation.score import EvaluationOptions, evaluate


@pytest.mark.parametrize("pseudo", [4, 14, 30])
def test_strict_is_the_best_of_all_assignments(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], pseudo: int
) -> None:
    """Another way to it: by trying them."""
    result, truth = random_pair(tmp_path, np.random.default_rng(pseudo), pseudo, images=2)
    found = evaluate(result, truth, EvaluationOptions(matching="strict"))
    predicted, true = ByPixel(result), ByPixel(truth)
    assert found.assignment is not None
    for separate, ours in ((True, found.assignment.panoptic), (False, found.assignment.semantic)):
        named = [c for c in ours.values() if c is not None]
        assert len(named) == len(set(named))  # a true class has one name
        assert shared_pixels(predicted, true, ours) == most_shared_pixels(predicted, true, separate)


@pytest.mark.parametrize(("matching", "pseudo"), [("strict", 4), ("strict", 30), ("hungarian", 14), ("majority", 14)])
def test_figures_equal_loops_over_the_maps(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], matching: Matching, pseudo: int
) -> None:
    """Pixels instead of tables, segments as masks."""
    result, truth = random_pair(tmp_path, np.random.default_rng(pseudo), pseudo, images=2)
    found = evaluate(result, truth, EvaluationOptions(matching=matching))
    predicted, true = ByPixel(result), ByPixel(truth)
    assert found.assignment is not None
    accuracy, miou = semantic_by_pixel(predicted, true, found.assignment.semantic)
    assert (found.acc, found.miou) == pytest.approx((accuracy, miou), abs=1e-12)
    expected = panoptic_by_pixel(predicted, true, found.assignment.panoptic)
    assert {c.category.id: (c.tp, c.fp, c.fn) for c in found.per_class} == {
        c: tuple(counts) for c, (_, *counts) in expected.items()
    }
    assert [c.quality.pq for c in found.per_class] == pytest.approx([pq for pq, *_ in expected.values()], abs=1e-12)
    assert found.all.pq == pytest.approx(np.mean([pq for pq, *_ in expected.values()]), abs=1e-12)


class ByPixel:
    """A folder as maps of every image: segments, classes, crowd; and its last crowd segment of each class, which alone
    excuses."""

    def __init__(self, folder: Path) -> None:
        tree = json.loads((folder / "panoptic.json").read_text())
        self.thing = {c["id"]: bool(c["isthing"]) for c in tree["categories"]}
        self.images, self.excuses = [], []
        for annotation in tree["annotations"]:
            ids = cv2.imread(str(folder / "panoptic" / annotation["file_name"])).astype(int) @ [65536, 256, 1]
            classes, crowd = np.zeros_like(ids), np.zeros(ids.shape, bool)
            self.excuses.append(
                {row["category_id"]: row["id"] for row in annotation["segments_info"] if row["iscrowd"]}
            )
            for row in annotation["segments_info"]:
                classes[ids == row["id"]] = row["category_id"]
                crowd |= (ids == row["id"]) & bool(row["iscrowd"])
            self.images.append((ids, classes, crowd))

    def known(self) -> np.ndarray:
        """(N,) true where a pixel of a truth has a class and is no crowd."""
        return np.concatenate([((ids > 0) & ~crowd).ravel() for ids, _, crowd in self.images])

    def classes(self) -> np.ndarray:
        """(N,) class ids of all pixels, 0 = void."""
        return np.concatenate([classes.ravel() for _, classes, _ in self.images])


def shared_pixels(predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]) -> int:
    table = {c: target or 0 for c, target in assignment.items()} | {0: 0}
    named = np.array([table[c] for c in predicted.classes().tolist()])
    return int(((named == true.classes()) & (named > 0) & true.known()).sum())


def most_shared_pixels(predicted: ByPixel, true: ByPixel, separate: bool) -> int:
    """The largest total of a one-to-one assignment: dynamic programming over sets of true classes."""
    p, t = predicted.classes()[true.known()], true.classes()[true.known()]
    best = {frozenset[int](): 0}
    for c in sorted(predicted.thing):
        grown = dict(best)
        for used, total in best.items():
            for target in sorted(set(true.thing) - used):
                if separate and predicted.thing[c] != true.thing[target]:
                    continue
                key, value = used | {target}, total + int(((p == c) & (t == target)).sum())
                grown[key] = max(grown.get(key, 0), value)
        best = grown
    return max(best.values())


def semantic_by_pixel(predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]) -> tuple[float, float]:
    """(accuracy, mean IoU)."""
    table = {c: target or 0 for c, target in assignment.items()} | {0: 0}
    p, t = np.array([table[c] for c in predicted.classes().tolist()])[true.known()], true.classes()[true.known()]
    return float((p == t).mean()), float(
        np.mean([((p == c) & (t == c)).sum() / ((p == c) | (t == c)).sum() for c in np.unique(t)])
    )


def panoptic_by_pixel(
    predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]
) -> dict[int, tuple[float, int, int, int]]:
    """True class -> PQ, TP, FP, FN by the official rule, from masks."""
    sums: dict[int, list[float]] = {c: [0.0, 0, 0, 0] for c in true.thing}
    for (ids, classes, _), (true_ids, true_classes, crowd), excuses in zip(
        predicted.images, true.images, true.excuses, strict=True
    ):
        masks = {}
        for segment in np.unique(ids[ids > 0]).tolist():
            mask = ids == segment
            target = assignment[int(classes[mask][0])]
            if target is not None:
                key = (target, segment if true.thing[target] else 0)
                masks[key] = masks.get(key, np.zeros_like(mask)) | mask
        unused = dict(masks)
        for segment in np.unique(true_ids[(true_ids > 0) & ~crowd]).tolist():
            mask = true_ids == segment
            c = int(true_classes[mask][0])
            ious = {
                key: (mask & m).sum() / ((mask | m) & ~(m & (true_ids == 0))).sum()
                for key, m in masks.items()
                if key[0] == c
            }
            hit = next((key for key, iou in ious.items() if iou > 0.5), None)
            sums[c][3] += hit is None
            if hit is not None:
                sums[c][0] += ious[hit]
                sums[c][1] += 1
                del unused[hit]
        for (c, _), m in unused.items():
            excused = (m & (true_ids == 0)).sum() + (m & (true_ids == excuses.get(c, -1))).sum()
            sums[c][2] += int(2 * excused <= m.sum())
    return {c: (s / (tp + fp / 2 + fn / 2), tp, fp, fn) for c, (s, tp, fp, fn) in sums.items() if tp + fp + fn}
