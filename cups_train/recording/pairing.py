"""Left and right images to stereo pairs by their header stamps, and which pairs follow each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.recording.stored import TopicIndex

# t+1 was read at most this many images after (or before) t: a clock that was set back does not interleave two drives
NEIGHBOURS = 16


@dataclass(frozen=True, eq=False)
class PairIndex:
    """Stereo pairs in order of the left stamp; row = index of the pair. Every array is (N,) int64."""

    number: np.ndarray  # index of the pair in its recording
    left_stamp: np.ndarray  # ns
    right_stamp: np.ndarray  # ns
    left_log: np.ndarray  # ns
    right_log: np.ndarray  # ns
    left_order: np.ndarray  # place in the order of reading
    right_order: np.ndarray

    def strided(self, stride: int) -> PairIndex:
        """Every `stride`-th pair; the numbers stay."""
        return PairIndex(*(array[::stride].copy() for array in vars(self).values()))


def pair_stamps(left: TopicIndex, right: TopicIndex, slop_ns: int) -> PairIndex:
    """Pairs whose stamps are each other's nearest and at most `slop_ns` apart. Of images with equal stamps the first
    counts."""
    left_stamps, left_order = np.unique(left.stamp_ns, return_index=True)
    right_stamps, right_order = np.unique(right.stamp_ns, return_index=True)
    if not left_stamps.size or not right_stamps.size:
        return PairIndex(*(np.empty(0, np.int64) for _ in range(7)))
    partner = nearest(left_stamps, right_stamps)
    mutual = nearest(right_stamps, left_stamps)[partner] == np.arange(left_stamps.size)
    rows = np.flatnonzero(mutual & (np.abs(left_stamps - right_stamps[partner]) <= slop_ns))
    lefts, rights = left_order[rows], right_order[partner[rows]]
    return PairIndex(
        np.arange(rows.size),
        left.stamp_ns[lefts],
        right.stamp_ns[rights],
        left.log_ns[lefts],
        right.log_ns[rights],
        lefts,
        rights,
    )


def nearest(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(N,) index into the sorted, non-empty `among` of the entry nearest to each value; the earlier one on a tie."""
    after = np.clip(np.searchsorted(among, values), 1, max(1, among.size - 1))
    before = after - 1
    after = np.minimum(after, among.size - 1)
    return np.where(np.abs(among[after] - values) < np.abs(values - among[before]), after, before)


def find_steps(stamps: np.ndarray, order: np.ndarray, stride: int, max_gap: float) -> tuple[int, np.ndarray]:
    """(median step [ns], (N,) bool: the next pair is t+1 of this one). The last pair has no t+1."""
    steps = np.diff(stamps)
    neighbours = np.abs(np.diff(order)) <= NEIGHBOURS * stride
    usual = steps[neighbours] if neighbours.any() else steps
    step = int(np.median(usual)) if usual.size else 0
    return step, np.append(neighbours & (steps <= max_gap * step), False)[: stamps.size]
