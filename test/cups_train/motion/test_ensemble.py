"""Votes of random runs."""

import numpy as np

from cups_train.motion.ensemble import patch, vote_masks


def _box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_votes_count_matched_masks_only():
    """A large mask found once does not ride on small ones that are found in every run."""
    small, same, large = (
        _box(slice(5, 10), slice(5, 10)),
        _box(slice(5, 10), slice(5, 11)),
        _box(slice(0, 15), slice(0, 20)),
    )
    masks, votes = vote_masks([[patch(small)], [patch(same), patch(large)], [patch(small)], []], 0.75, small.shape)
    assert len(masks) == 1 and votes.tolist() == [0.75]
    assert (masks[0] == small).all()  # found by two of three there, by one in column 10
    assert len(vote_masks([[], []], 0.5, small.shape)[0]) == 0
    assert (
        patch(same).overlap(patch(small)) == 25 / 30
        and patch(small).overlap(patch(_box(slice(10, 12), slice(5, 9)))) == 0
    )
