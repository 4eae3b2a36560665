"""What stands in for unknown disparity."""

from __future__ import annotations

import numpy as np


def fill_disparity(disp: np.ndarray, ok: np.ndarray) -> np.ndarray:
    """Unknown pixels take the smaller (further) of the nearest known ones to the left and right, then of those above:
    (H, W) float32 px."""
    height, width = disp.shape
    columns = np.arange(width)
    left = np.maximum.accumulate(np.where(ok, columns, -1), 1)
    right = np.minimum.accumulate(np.where(ok, columns, width)[:, ::-1], 1)[:, ::-1]
    rows = np.arange(height)[:, None]
    a = np.where(left >= 0, disp[rows, np.maximum(left, 0)], np.inf)
    b = np.where(right < width, disp[rows, np.minimum(right, width - 1)], np.inf)
    filled = np.minimum(a, b)
    row_known = np.isfinite(filled).all(1)
    if not row_known.any():
        return np.zeros_like(disp)
    nearest = np.abs(rows - np.flatnonzero(row_known)[None]).argmin(1)
    return np.where(ok, disp, filled[np.flatnonzero(row_known)[nearest]]).astype(np.float32)
