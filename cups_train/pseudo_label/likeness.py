"""Which classes look alike: the evidence of a class is taken together with that of the classes nearest to it by the
descriptors of cells.

A class of parked cars lies in no moving object, however much a car it is; the classes nearest to it do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cups_train.pseudo_label.motion_counts import MotionCounts

OWN = 3.0  # weight of a class's own counts against those of one that looks the same


def likeness(centres: np.ndarray, reach: float) -> np.ndarray:
    """(K, C) centres -> (K, K) weights exp(-squared distance / (reach x the usual squared distance of the nearest
    class)), OWN for itself."""
    points = centres.astype(np.float64)
    square = (points**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square[None] - 2 * points @ points.T, 0)
    others = distance + np.where(np.eye(len(points)), np.inf, 0)
    usual = float(np.median(others.min(axis=1))) if len(points) > 1 else 1.0
    weights: np.ndarray = np.exp(-distance / max(reach * usual, 1e-12))
    np.fill_diagonal(weights, OWN)
    return weights


def pooled(counts: MotionCounts, weights: np.ndarray) -> MotionCounts:
    """Each class's counts and, with their weights (K, K), those of all others; void stays as it is. They are no whole
    numbers any more."""

    def together(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:1], weights @ values[1:]])

    return replace(counts, n_all=together(counts.n_all), n_in=together(counts.n_in), n_found=together(counts.n_found))
