"""Votes on maps written by hand."""

from __future__ import annotations

import numpy as np

from cups_train.pseudo_label.votes import count_votes, majority, name_objects, paint


def align(class_map: np.ndarray, instances: np.ndarray, k: int) -> np.ndarray:
    votes = count_votes(class_map, instances, k)
    return paint(class_map, instances, votes.ids, majority(votes.pixels))


def test_object_takes_its_most_frequent_class() -> None:
    class_map = np.array([[1, 1, 2, 2], [1, 2, 2, 3]], np.uint8)
    instances = np.array([[0, 7, 7, 7], [0, 7, 9, 9]], np.uint16)
    # 9 has a tie of 2 and 3: the smaller
    assert align(class_map, instances, 3).tolist() == [[1, 2, 2, 2], [1, 2, 2, 2]]
    assert class_map.tolist() == [[1, 1, 2, 2], [1, 2, 2, 3]]  # not changed in place


def test_void_does_not_vote() -> None:
    assert majority(np.array([[9, 0, 1], [5, 0, 0]])).tolist() == [2, 0]


def test_thing_classes_name_an_object_together() -> None:
    """Classes 2 and 3 are things. Of 100 pixels 70 are stuff: 20 + 10 of things reach 0.3, and 2 is the better one."""
    votes = np.array([[0, 70, 20, 10], [0, 85, 8, 7], [0, 10, 40, 50]])
    assert name_objects(votes, (2, 3), 0.3).tolist() == [2, 1, 3]
    assert name_objects(votes, (2, 3), 0.1).tolist() == [2, 2, 3]
    assert name_objects(votes, (), 0.1).tolist() == [1, 1, 3]
    assert name_objects(votes[:0], (2, 3), 0.1).tolist() == []


def test_no_thing_pixel_no_thing() -> None:
    assert name_objects(np.array([[0, 9, 0]]), (2,), 0.0).tolist() == [1]


def test_votes_of_large_ids() -> None:
    instances = np.array([[0, 65535, 300]], np.uint16)
    votes = count_votes(np.array([[2, 2, 1]], np.uint8), instances, 2)
    assert votes.ids.tolist() == [300, 65535] and votes.pixels.tolist() == [[0, 1, 0], [0, 0, 1]]
    # an object without a class
    assert paint(np.array([[2, 2, 1]], np.uint8), instances, votes.ids, np.array([2, 0])).tolist() == [[2, 2, 2]]


def test_300_objects_stay_apart() -> None:
    instances = np.repeat(np.arange(1, 301, dtype=np.uint16), 40).reshape(60, 200)
    assert len(np.unique(align(np.ones_like(instances, np.uint8), instances, 3))) == 1
    assert len(count_votes(np.ones_like(instances, np.uint8), instances, 3)) == 300
