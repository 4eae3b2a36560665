"""How the pixels of an object name it in the published code."""

from __future__ import annotations

import numpy as np


def majority(votes: np.ndarray) -> np.ndarray:
    """(N, K + 1) pixels of every class in every object, column 0 is void -> (N,) the most frequent class, 0 where no
    pixel has one.

    Of even votes the smallest id wins, but the first class never does: its number stands for "none" there and is
    counted last.
    """
    order = np.roll(np.arange(1, votes.shape[1]), -1)
    best: np.ndarray = np.where(votes[:, 1:].any(axis=1), order[votes[:, order].argmax(axis=1)], 0)
    return best
