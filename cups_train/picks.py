"""Which of many frames or files are looked at."""

from __future__ import annotations

import numpy as np

OVERLAYS = 4  # pictures of a recording


def shown(count: int, most: int = OVERLAYS) -> frozenset[int]:
    """Which of `count` frames in order are drawn with what was found in them."""
    return frozenset(evenly_spaced(count, most))


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` of the indices 0 to count - 1, in order, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist() if count else []
