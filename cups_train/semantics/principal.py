"""Principal components of rows that come in parts and never lie in memory together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class Moments:
    """Sums over rows (N, C), part by part."""

    def __init__(self) -> None:
        self.count, self.total, self.square = 0, np.zeros(()), np.zeros(())

    def add(self, maps: np.ndarray) -> None:
        """maps: (C, h, w), one row a cell."""
        rows = maps.reshape(len(maps), -1).T.astype(np.float64)
        self.count, self.total, self.square = (
            self.count + len(rows),
            self.total + rows.sum(0),
            self.square + rows.T @ rows,
        )


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components, the largest first."""

    mean: np.ndarray  # (C,) float64
    variance: np.ndarray  # (C,) float64, falling
    axes: np.ndarray  # (C, C) float64, a component a column


def principal_components(moments: Moments) -> Components:
    mean = moments.total / moments.count
    variance, axes = np.linalg.eigh(moments.square / moments.count - np.outer(mean, mean))
    return Components(mean, variance[::-1], axes[:, ::-1])
