from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from cups_ros.tracking import Tracker, assign
from cups_ros.types import Panoptic, Segment

PERIOD_NS = 100_000_000
Boxes = dict[int, tuple[int, tuple[int, int, int, int]]]  # instance id -> class, x, y, width, height


def seen(boxes: Boxes) -> Panoptic:
    segments = [Segment(1, 0, False, 1.0, 100, (0, 0, 10, 10))]
    segments += [Segment(kind, number, True, 0.9, box[2] * box[3], box) for number, (kind, box) in boxes.items()]
    return Panoptic(np.ones((100, 200), np.uint8), np.zeros((100, 200), np.uint16), tuple(segments))


def ids(tracker: Tracker, number: int, boxes: Boxes) -> list[int]:
    answer = tracker.update(seen(boxes), number * PERIOD_NS)
    assert answer.segments[0].track_id == 0  # stuff has none
    return [segment.track_id for segment in answer.segments if segment.is_thing]


def largest_sum(overlaps: np.ndarray) -> float:
    """Of all one-to-one pairs of the rows and columns of (N, M), by trying every one."""
    short, long = sorted(overlaps.shape)
    table = overlaps if len(overlaps) == short else overlaps.T
    return max(
        sum(table[row, column] for row, column in enumerate(columns)) for columns in permutations(range(long), short)
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 4), (6, 6), (0, 3), (3, 0)])
def test_assignment_is_the_best_one(shape: tuple[int, int]) -> None:
    for seed in range(20):
        overlaps = np.random.default_rng(seed).random(shape) * np.random.default_rng(seed + 100).integers(0, 2, shape)
        pairs = assign(overlaps, 1e-9)
        assert sum(overlaps[pair] for pair in pairs.items()) == pytest.approx(largest_sum(overlaps))
        assert len(set(pairs.values())) == len(pairs) and all(overlaps[pair] > 0 for pair in pairs.items())


def test_objects_of_one_class_that_cross_keep_their_ids() -> None:
    tracker = Tracker(0.2, 5)
    # 4 px an image towards each other, through each other in the middle; their order in the answer changes
    for number in range(21):
        left, right = (2, (10 + 6 * number, 30, 30, 40)), (2, (130 - 6 * number, 34, 30, 40))
        found = ids(tracker, number, {1: left, 2: right} if number % 3 else {1: right, 2: left})
        assert found == ([1, 2] if number % 3 else [2, 1]) or (number == 0), number
        if number == 0:  # the first image gives the ids: 1 to the right one
            assert found == [1, 2]
            tracker.reset()
            tracker = Tracker(0.2, 5)
            ids(tracker, 0, {1: left, 2: right})


def test_an_object_missed_for_two_images_comes_back_with_its_id() -> None:
    tracker = Tracker(0.2, 2)
    car = [(2, (10 + 12 * n, 20, 30, 20)) for n in range(12)]
    assert [ids(tracker, n, {1: car[n]}) for n in range(4)] == [[1]] * 4
    assert ids(tracker, 4, {}) == ids(tracker, 5, {}) == []
    assert ids(tracker, 6, {7: car[6]}) == [1]  # 36 px on: only its speed tells where
    for n in (7, 8, 9):
        assert ids(tracker, n, {}) == []
    assert ids(tracker, 10, {1: car[10]}) == [2]  # gone for more than max_missed


def test_another_class_is_another_object_and_time_that_jumps_back_ends_tracks() -> None:
    tracker = Tracker(0.2, 5)
    box = (10, 10, 20, 20)
    assert ids(tracker, 10, {1: (2, box)}) == [1]
    assert ids(tracker, 11, {1: (3, box)}) == [2]
    assert ids(tracker, 12, {1: (3, box), 2: (2, box)}) == [2, 1]
    assert ids(tracker, 5, {1: (3, box)}) == [3]
    assert ids(tracker, 6, {1: (3, box)}) == [3]
    assert ids(tracker, 60, {1: (3, box)}) == [4]  # 5 s later


def test_maps_stay_as_they_are() -> None:
    panoptic = seen({1: (2, (10, 10, 20, 20))})
    answer = Tracker(0.2, 5).update(panoptic, 0)
    assert answer.class_id is panoptic.class_id and answer.instance_id is panoptic.instance_id


def test_unknown_objects_have_no_track() -> None:
    crowd = Segment(3, 0, True, 1.0, 50, (0, 0, 5, 10))
    answer = Tracker(0.2, 5).update(
        Panoptic(np.ones((100, 200), np.uint8), np.zeros((100, 200), np.uint16), (crowd,)), 0
    )
    assert answer.segments == (crowd,)
