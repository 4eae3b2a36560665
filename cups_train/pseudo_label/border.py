"""The columns at both sides of an image, in which no object is trusted."""

from __future__ import annotations

import numpy as np

SHORTEST_SIDE = 4  # px: what the border leaves of an object is dropped below this


def border_width(width: int, share: float) -> int:
    """Columns at each side of an image that carry no instances (32 of 1280 in CUPS)."""
    return round(share * width)


def clear_border(instances: np.ndarray, share: float) -> np.ndarray:
    """(H, W) ids, 0 = none -> the same without objects in the columns at both sides, and without slivers that this
    leaves.

    Half-seen objects have no trustworthy disparity at the left border and leave the picture at both.
    """
    border = border_width(instances.shape[1], share)
    cleared: np.ndarray = instances.copy()
    if border:
        cleared[:, :border] = 0
        cleared[:, -border:] = 0
    for object_id in np.flatnonzero(np.bincount(cleared[cleared > 0])).tolist():
        mask = cleared == object_id
        if (
            min(np.count_nonzero(mask.any(axis=0)), np.count_nonzero(mask.any(axis=1))) < SHORTEST_SIDE
            and (mask != (instances == object_id)).any()
        ):
            cleared[mask] = 0
    return cleared
