"""The published rule by which classes become things (CUPS, stage 1)."""

from __future__ import annotations

import numpy as np

NEVER_USED = 1e-6  # added to the pixels of a class, so that one without any has the ratio 0


def ratios(n_in: np.ndarray, n_all: np.ndarray) -> np.ndarray:
    """(K,) pixels inside moving objects and (K,) all pixels of every class -> (K,) share of a class inside."""
    return n_in / (n_all + NEVER_USED)


def are_things(ratio: np.ndarray, psi: float) -> np.ndarray:
    """(K,) ratios -> (K,) bool: the classes whose share of the sum of all ratios is above psi / K (0.08 at K = 27)."""
    total = float(ratio.sum())
    return ratio / total > psi / len(ratio) if total > 0 else np.zeros(len(ratio), bool)
