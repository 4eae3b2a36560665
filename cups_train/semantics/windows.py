"""Sliding windows over an image of any size, and their mean on one grid."""

from __future__ import annotations

import numpy as np


def starts(length: int, window: int, stride: int) -> list[int]:
    """0, stride, 2 stride, ... and a last one flush with the border: every pixel is covered."""
    if window >= length:
        return [0]
    return [*range(0, length - window, stride), length - window]


def blend(parts: np.ndarray, corners: list[tuple[int, int]], height: int, width: int) -> np.ndarray:
    """(N, K, h, w) windows, their upper left `corners` as (row, column) -> (K, height, width): mean, weighted by a tent
    that falls to the window's border.
    """
    window = parts.shape[2:]
    tent = np.minimum.outer(*(np.minimum(np.arange(n) + 1, n - np.arange(n)).astype(np.float32) / n for n in window))
    total = np.zeros((parts.shape[1], height, width), np.float32)
    weight = np.zeros((height, width), np.float32)
    for part, (y, x) in zip(parts, corners, strict=True):
        total[:, y : y + window[0], x : x + window[1]] += part * tent
        weight[y : y + window[0], x : x + window[1]] += tent
    return total / weight


def whole_weight(disparity: np.ndarray, depth_scale: float) -> np.ndarray:
    """(H, W) px -> (H, W): share of the whole image in the mix with windows: w = 1 / (1 + Z), Z in metres; infinitely
    far (disparity 0) is 0 (DepthG's rule, repaired).
    """
    return (disparity / (disparity + np.float32(depth_scale))).astype(np.float32)
