"""k-means over sampled cells, and classes of cells by their nearest centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cups_train.types import ChannelGroup

BLOCK = 1 << 15  # rows whose distances are held at once
STARTS = 2
ITERATIONS = 40


@dataclass(frozen=True, eq=False)
class Scaler:
    """Standardises channels and gives each group its share of the variance."""

    mean: np.ndarray  # (C,) float32
    scale: np.ndarray  # (C,) float32

    @classmethod
    def fit(cls, rows: np.ndarray, groups: Sequence[ChannelGroup]) -> Scaler:
        """rows: (N, C); groups: in the order of the channels."""
        weights = np.concatenate(
            [np.full(group.channels, np.sqrt(group.variance / group.channels)) for group in groups]
        )
        # in double precision: the order of a float32 sum is numpy's choice, and differs with the place in memory
        mean, deviation = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
        return cls(mean.astype(np.float32), (weights / np.maximum(deviation, 1e-6)).astype(np.float32))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(N, C) -> (N, C) float32."""
        return ((rows - self.mean) * self.scale).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Clusters:
    """Centres in scaled channels; on a map of clusters, cluster k of 0..K-1 is k + 1."""

    scaler: Scaler
    centres: np.ndarray  # (K, C) float32

    @property
    def count(self) -> int:
        """K."""
        return len(self.centres)

    def nearest(self, channels: np.ndarray) -> np.ndarray:
        """(C, h, w) -> (h, w) int64, index of the nearest centre."""
        return nearest(self.scaler(channels.reshape(len(channels), -1).T), self.centres)[0].reshape(channels.shape[1:])

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """(N, C) scaled -> (N, K) float32 squared distance to each centre."""
        return squared_distances(rows, self.centres)


def squared_distances(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(N, C), (K, C) -> (N, K) float32."""
    distances = rows @ centres.T
    distances *= -2
    distances += (rows * rows).sum(1)[:, None]
    distances += (centres * centres).sum(1)
    return np.maximum(distances, 0, out=distances)


def nearest(rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, C), (K, C) -> (N,) index of the nearest centre and (N,) squared distance to it, in blocks of bounded
    memory."""
    index, distance = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = squared_distances(rows[start : start + BLOCK], centres)
        index[start : start + BLOCK] = part.argmin(1)
        distance[start : start + BLOCK] = part.min(1)
    return index, distance


def kmeans(rows: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """rows (N, C) -> centres (count, C), largest cluster first, and their mean squared distance: the better of two
    k-means++ starts with Lloyd's steps.
    """
    if len(rows) < count:
        raise ValueError(f"expected at least {count} samples for {count} clusters, found {len(rows)}")
    best: tuple[float, np.ndarray] | None = None
    for _ in range(STARTS):
        centres = settle(rows, _spread_start(rows, count, rng))
        index, distance = nearest(rows, centres)
        if best is None or distance.mean() < best[0]:
            best = float(distance.mean()), centres[np.argsort(-np.bincount(index, minlength=count), kind="stable")]
    assert best is not None
    return best[1], best[0]


def settle(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Lloyd's steps over rows (N, C) from `centres` (K, C), which keep their order; empty ones restart at the rows
    furthest from their centre."""
    previous = np.inf
    for _ in range(ITERATIONS):
        index, distance = nearest(rows, centres)
        centres = _means(rows, index, distance, centres)
        if previous - float(distance.mean()) < 1e-4 * float(distance.mean()):
            break
        previous = float(distance.mean())
    return centres


def _spread_start(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """rows (N, C) -> (count, C): k-means++ on a subset; each further centre is drawn in proportion to the squared
    distance to those before."""
    subset = rows[rng.permutation(len(rows))[: max(20 * count, 5000)]]
    centres = np.empty((count, rows.shape[1]), np.float32)
    centres[0] = subset[rng.integers(len(subset))]
    distance = squared_distances(subset, centres[:1])[:, 0]
    for k in range(1, count):
        total = float(distance.sum(dtype=np.float64))
        chosen = (
            np.searchsorted(np.cumsum(distance, dtype=np.float64), rng.random() * total)
            if total > 0
            else rng.integers(len(subset))
        )
        centres[k] = subset[min(int(chosen), len(subset) - 1)]
        distance = np.minimum(distance, squared_distances(subset, centres[k : k + 1])[:, 0])
    return centres


def _means(rows: np.ndarray, index: np.ndarray, distance: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Means of the rows (N, C) of each of `centres` (K, C); index, distance: (N,) of the nearest centre."""
    counts = np.bincount(index, minlength=len(centres))
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    filled = np.flatnonzero(counts)
    updated = centres.copy()
    updated[filled] = np.add.reduceat(rows[order], starts[filled], axis=0) / counts[filled, None]
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        updated[empty] = rows[np.argsort(-distance, kind="stable")[: len(empty)]]
    return updated
