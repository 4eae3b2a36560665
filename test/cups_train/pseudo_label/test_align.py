"""Votes and border on maps written by hand."""
from __future__ import annotations

import numpy as np
import pytest

from cups_train.pseudo_label.align import align, clear_border, count_votes, majority, object_classes, paint


def test_object_takes_its_most_frequent_class() -> None:
    class_map = np.array([[1, 1, 2, 2], [1, 2, 2, 3]], np.uint8)
    instances = np.array([[0, 7, 7, 7], [0, 7, 9, 9]], np.uint16)
    assert align(class_map, instances, 3).tolist() == [[1, 2, 2, 2], [1, 2, 2, 2]]  # 9 has a tie of 2 and 3: the smaller
    assert class_map.tolist() == [[1, 1, 2, 2], [1, 2, 2, 3]]  # not changed in place


def test_first_class_loses_ties_in_the_published_vote() -> None:
    votes = np.array([[0, 4, 4, 0], [0, 4, 3, 1], [0, 0, 2, 2]])
    assert majority(votes).tolist() == [1, 1, 2]
    assert majority(votes, compat=True).tolist() == [2, 1, 2]


def test_void_does_not_vote() -> None:
    assert majority(np.array([[9, 0, 1], [5, 0, 0]])).tolist() == [2, 0]


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_published_vote(seed: int) -> None:
    """Class 0 written as 255, smallest of the most frequent values per object, 255 written back as 0."""
    rng = np.random.default_rng(seed)
    reference, instances = rng.integers(0, 4, (12, 15)), rng.integers(0, 6, (12, 15)).astype(np.uint16)
    voting = np.where(reference == 0, 255, reference)
    expected = voting.copy()
    for i in range(1, 6):
        values, counts = np.unique(voting[instances == i], return_counts=True)
        expected[instances == i] = values[counts == counts.max()].min()
    expected = np.where(expected == 255, 0, expected)
    assert (align((reference + 1).astype(np.uint8), instances, 4, compat=True) == expected + 1).all()


def test_thing_classes_name_an_object_together() -> None:
    """Classes 2 and 3 are things. Of 100 pixels 70 are stuff: 20 + 10 of things reach 0.3, and 2 is the better one."""
    votes = np.array([[0, 70, 20, 10], [0, 85, 8, 7], [0, 10, 40, 50]])
    assert object_classes(votes, (2, 3), 0.3).tolist() == [2, 1, 3]
    assert object_classes(votes, (2, 3), 0.1).tolist() == [2, 2, 3]
    assert object_classes(votes, (), 0.1).tolist() == [1, 1, 3]
    assert object_classes(votes[:0], (2, 3), 0.1).tolist() == []


def test_no_thing_pixel_no_thing() -> None:
    assert object_classes(np.array([[0, 9, 0]]), (2,), 0.0).tolist() == [1]


def test_votes_of_large_ids() -> None:
    instances = np.array([[0, 65535, 300]], np.uint16)
    ids, votes = count_votes(np.array([[2, 2, 1]], np.uint8), instances, 2)
    assert ids.tolist() == [300, 65535] and votes.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert paint(np.array([[2, 2, 1]], np.uint8), instances, ids, np.array([2, 0])).tolist() == [[2, 2, 2]]  # an object without a class


def test_border_is_a_share_of_the_width() -> None:
    instances = np.ones((10, 1280), np.uint16)
    cleared = clear_border(instances, 0.025)
    assert not cleared[:, :32].any() and not cleared[:, -32:].any() and cleared[:, 32:-32].all() and instances.all()
    assert (clear_border(instances, 0.0) == instances).all()


def test_slivers_left_by_the_border_go_and_thin_objects_elsewhere_stay() -> None:
    instances = np.zeros((20, 40), np.uint16)
    instances[:, :6] = 1  # 2 columns remain
    instances[:, 20:22] = 2  # thin, but whole
    assert np.unique(clear_border(instances, 0.1)).tolist() == [0, 2]


def test_300_objects_stay_apart() -> None:
    instances = np.repeat(np.arange(1, 301, dtype=np.uint16), 40).reshape(60, 200)
    assert len(np.unique(align(np.ones_like(instances, np.uint8), instances, 3))) == 1
    assert len(count_votes(np.ones_like(instances, np.uint8), instances, 3)[0]) == 300
