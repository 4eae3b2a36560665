"""What stands still may be of a kind that moves: clusters on the thing side take the kind whose objects are made of
what looks like them."""

from __future__ import annotations

import numpy as np


def kinds_of_clusters(votes: np.ndarray, likeness: np.ndarray, things: np.ndarray) -> np.ndarray:
    """(K,) int64 kind 0.. of each cluster on the thing side, -1 of all others.

    votes: (K, kinds) pixels of each cluster in objects of each kind; likeness: (K, K) weight of one cluster's votes for
    another; things: (K,) bool. A cluster that is like none in any object takes the kind of most pixels.
    """
    together = likeness @ votes.astype(np.float64)
    unknown = ~together.any(axis=1)
    together[unknown] = votes.sum(axis=0)
    if not votes.any():
        return np.full(len(votes), -1, np.int64)
    return np.where(things, together.argmax(axis=1), -1).astype(np.int64)
