"""Agreement of label maps on maps worked out by hand, and on a scene that shifts by whole pixels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.evaluation.consistency import compare, measure, render, summarise
from cups_train.files import write_image
from cups_train.folders.labels import LabelledFrame, write_class_of, write_labels, write_maps
from cups_train.types import StereoCamera, StereoFrame

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i == 3, (i, i, i)) for i in (1, 2, 3)))
HEIGHT, WIDTH, SHIFT = 64, 160, 6


def test_agreement_of_maps_written_out_by_hand() -> None:
    """Class 1 has 10 of 16 pixels here, 8 there: IoU 0.8. Class 2 has 4 and 6: IoU 4 / 6. The instance agrees. One
    column does not count."""
    here = np.array([[1] * 5 + [2] * 2 + [3] + [2]] * 2, np.uint8)
    there = np.array([[1] * 4 + [2] * 3 + [3] + [1]] * 2, np.uint8)
    instances = (here == 3).astype(np.uint16) * 7
    vouched = np.ones((2, 9), bool)
    vouched[:, 8] = False
    found = summarise([compare((here, instances), (there, instances), vouched)], CLASSES)
    assert found["pq"] == pytest.approx((8 / 10 + 4 / 6 + 1) / 3) and found["rq"] == 1
    assert found["pq_things"] == 1 and found["pq_stuff"] == pytest.approx((8 / 10 + 4 / 6) / 2)
    assert found["same_class"] == 14 / 16 and found["compared"] == 16 / 18


def test_void_is_not_compared_and_other_instances_do_not_match() -> None:
    kinds = np.full((2, 8), 3, np.uint8)
    one, halves = np.ones((2, 8), np.uint16), np.array([[1] * 4 + [2] * 4] * 2, np.uint16)
    found = summarise([compare((kinds, one), (kinds, halves), np.ones((2, 8), bool))], CLASSES)
    assert found["pq"] == 0 and found["same_class"] == 1  # 4 of 8 columns: an IoU of 0.5 is no match
    assert summarise([compare((kinds, one), (0 * kinds, 0 * one), np.ones((2, 8), bool))], CLASSES)["pq"] is None


class Shifting:
    """A wall that moves by SHIFT pixels a frame, and by SHIFT between left and right."""

    name = "shifting"
    camera = StereoCamera(HEIGHT, WIDTH, 100.0, 100.0, WIDTH / 2, HEIGHT / 2, 0.5)

    class Stamp:
        def __init__(self, key: str, follows: bool) -> None:
            self.key, self.follows = key, follows

    stamps = (Stamp("000000", True), Stamp("000001", False))

    def stereo(self, key: str) -> StereoFrame:
        return StereoFrame(key, 0, wall(int(key) * SHIFT), wall(int(key) * SHIFT + SHIFT), self.camera)

    def left(self, key: str) -> np.ndarray:
        return self.stereo(key).left


def wall(start: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    coarse = np.repeat(np.repeat(rng.integers(0, 255, (HEIGHT // 4, 120, 3)), 4, 0), 4, 1)
    return (0.7 * coarse + 0.3 * rng.integers(0, 255, coarse.shape)).astype(np.uint8)[:, start : start + WIDTH]


def classes_at(start: int) -> np.ndarray:
    """Class 2 from column 80 of the wall on, else class 1."""
    return np.broadcast_to(np.where(np.arange(WIDTH) + start < 80, 1, 2).astype(np.uint8), (HEIGHT, WIDTH)).copy()


def right_classes(wrong: int, _image: np.ndarray, _disparity: np.ndarray, _camera: StereoCamera) -> np.ndarray:
    return classes_at(SHIFT + wrong)


def loader(wrong: int) -> partial:
    return partial(right_classes, wrong)


@pytest.mark.parametrize("wrong", [0, 40])
def test_a_scene_that_shifts_agrees_with_itself(tmp_path: Path, wrong: int) -> None:
    """`wrong`: the class border of the right and the next image lies 40 columns off."""
    write_image(tmp_path / "semantics" / "shifting" / "000000.png", classes_at(0))
    labels, starts = tmp_path / "labels" / "shifting", {"000000": 0, "000001": SHIFT + wrong}
    for key, start in starts.items():
        write_maps(labels, key, classes_at(start), np.zeros((HEIGHT, WIDTH), np.uint16))
    write_labels(labels, "shifting", [LabelledFrame(labels, key, int(key), (), "nothing moves") for key in starts])
    write_class_of(tmp_path / "labels", (), {})
    found = measure([Shifting()], tmp_path, CLASSES, partial(loader, wrong), 1)
    assert found["frames"] == 1 and found["left_right"]["compared"] > 0.6 and found["next"]["compared"] > 0.6
    for name in ("left_right", "next"):
        if wrong:
            assert found[name]["same_class"] < 0.8 and found[name]["pq"] < 0.75
        else:
            assert found[name]["same_class"] > 0.99 and found[name]["pq"] > 0.97
    assert render(found).count("PQ") == 2


@pytest.mark.parametrize("joined", [(1, 2), (1, 1)])
def test_points_keep_their_class_more_often_after_joining(tmp_path: Path, joined: tuple[int, int]) -> None:
    """Both sides of the wall change their clusters from one frame to the next: none is kept, unless both are one
    class."""
    labels, motion = tmp_path / "labels" / "shifting", tmp_path / "motion" / "shifting" / "instances"
    for key, clusters in (("000000", classes_at(0)), ("000001", 3 - classes_at(SHIFT))):
        write_image(tmp_path / "semantics" / "shifting" / f"{key}.png", clusters)
        write_image(motion / f"{key}.png", np.zeros((HEIGHT, WIDTH), np.uint16))
        write_maps(labels, key, np.array([0, *joined], np.uint8)[clusters], np.zeros((HEIGHT, WIDTH), np.uint16))
    write_labels(
        labels, "shifting", [LabelledFrame(labels, key, 0, (), "nothing moves") for key in ("000000", "000001")]
    )
    write_class_of(tmp_path / "labels", joined, {})
    found = measure([Shifting()], tmp_path, CLASSES, partial(loader, 0), 1)
    after = pytest.approx(float(joined == (1, 1)), abs=0.05)
    assert found["kept"] == [{"frames": 1, "before": pytest.approx(0, abs=0.05), "after": after}]
    assert "keep their class, by frames: 1: " in render(found)
    write_class_of(tmp_path / "labels", joined, {"kept": [{"frames": 8, "before": 0.5, "after": 0.9}]})
    assert "by frames: 8: 90.0 % (before joining 50.0 %)" in render(
        measure([Shifting()], tmp_path, CLASSES, partial(loader, 0), 1)
    )
