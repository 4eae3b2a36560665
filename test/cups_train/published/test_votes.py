"""The published vote on numbers written by hand, and beside its own words."""

from __future__ import annotations

import numpy as np
import pytest

from cups_train.pseudo_label.votes import count_votes, paint
from cups_train.pseudo_label.votes import majority as ours
from cups_train.published.votes import majority


def test_first_class_loses_ties_in_the_published_vote() -> None:
    votes = np.array([[0, 4, 4, 0], [0, 4, 3, 1], [0, 0, 2, 2]])
    assert ours(votes).tolist() == [1, 1, 2]
    assert majority(votes).tolist() == [2, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_published_vote(seed: int) -> None:
    """Class 0 written as 255, smallest of the most frequent values per object, 255 written back as 0."""
    rng = np.random.default_rng(seed)
    published, instances = rng.integers(0, 4, (12, 15)), rng.integers(0, 6, (12, 15)).astype(np.uint16)
    voting = np.where(published == 0, 255, published)
    expected = voting.copy()
    for i in range(1, 6):
        values, counts = np.unique(voting[instances == i], return_counts=True)
        expected[instances == i] = values[counts == counts.max()].min()
    expected = np.where(expected == 255, 0, expected)
    class_map = (published + 1).astype(np.uint8)
    votes = count_votes(class_map, instances, 4)
    assert (paint(class_map, instances, votes.ids, majority(votes.pixels)) == expected + 1).all()
