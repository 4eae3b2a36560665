"""Answers in the colours of the true classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_ros.fusion import panoptic_from_maps
from cups_ros.types import Classes, KnownInstance, PseudoClass
from cups_train.evaluation.strips import UNKNOWN, Answer, Paint, write_strips
from cups_train.files import read_image, read_json, write_json
from cups_train.folders.results import ResultWriter

TRUTH = Classes((PseudoClass(1, "road", False, (200, 0, 0)), PseudoClass(2, "car", True, (0, 0, 200))))
OURS = Classes(
    (
        PseudoClass(1, "class_01", False, (9, 9, 9)),
        PseudoClass(2, "class_02", False, (8, 8, 8)),
        PseudoClass(3, "mover_01", True, (7, 7, 7)),
    )
).with_unknown((6, 6, 6))


@dataclass(frozen=True)
class GreyRecording:
    """Grey images."""

    name: str = "street"

    def left(self, key: str) -> np.ndarray:
        return np.full((24, 48, 3), 100, np.uint8)


def write(folder: Path, classes: Classes, class_id: np.ndarray, instance_id: np.ndarray, thing: int) -> Path:
    writer = ResultWriter(folder, classes, {"kind": "prediction"})
    panoptic = panoptic_from_maps(class_id, instance_id, {1: KnownInstance(thing, 0.9, 0)}, classes)
    for number in range(3):
        writer.write(f"{number:06d}", number, panoptic)
    writer.close()
    return folder


def test_an_answer_is_painted_as_what_its_classes_stand_for(tmp_path: Path) -> None:
    class_id, instance_id = np.ones((24, 48), np.uint8), np.zeros((24, 48), np.uint16)
    class_id[:, 36:], instance_id[:, 36:] = 2, 1
    truth = write(tmp_path / "truth", TRUTH, class_id, instance_id, 2)
    ours = np.repeat(np.array([1, 2, 4, 3], np.uint8), 12)[None].repeat(24, 0)
    answer = write(tmp_path / "answer", OURS, ours, np.where(ours == 3, 1, 0).astype(np.uint16), 3)
    write_strips(
        tmp_path / "out", [GreyRecording()], [truth], [Answer("labels", [answer], {1: 1, 2: None, 3: 2})], most=2
    )  # type: ignore[list-item]
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == ["street_000000", "street_000002"]
    picture = read_image(tmp_path / "out" / folders[0] / "2_labels.jpg").astype(int)
    middle = [picture[12, x] for x in (6, 18, 30, 42)]
    expected = [(160, 40, 40), (40, 40, 40), tuple(40 + 0.6 * c for c in UNKNOWN), (40, 40, 160)]
    assert all(np.abs(a - np.array(e)).max() < 20 for a, e in zip(middle, expected, strict=True)), middle
    assert picture[12, 36].min() > 180  # the outline of the car
    names = [name for name, _ in read_json(tmp_path / "out" / "legend.json")]
    assert names == ["road", "car", "unknown object", "nothing that has a true class"]


def test_truths_of_others_need_no_colours_and_may_hold_other_classes(tmp_path: Path) -> None:
    rows = ([{"id": 1, "color": [300, 0, 0]}, {"id": 2, "color": "red"}], [{"id": 9, "color": [1, 2, 3]}])
    for number, categories in enumerate(rows):
        write_json(tmp_path / str(number) / "panoptic.json", {"categories": categories})
    paint = Paint.of([tmp_path / "0", tmp_path / "1"])
    assert paint.table[9].tolist() == [1, 2, 3] and (paint.unknown, paint.void) == (10, 11)
    assert paint.table[1].any() and paint.table[2].any() and paint.table[1].tolist() != paint.table[2].tolist()
