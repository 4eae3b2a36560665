"""Channels of what stands where on the grid of cells: raised ground, how high, low and wide things of one depth reach,
how thin they are.

They tell what colour and height alone do not: a pavement from the road (a kerb is 0.1 m high), a fence from a house
(its top), the crown of a tree from a hedge (its base), a pole from the wall behind it (its width). All are the same in
the mirror image.
"""

from __future__ import annotations

import cv2
import numpy as np

from cups_train.flow.fill import fill_disparity
from cups_train.types import StereoCamera

KERB, KNEE = 0.045, 0.35  # m over the ground: above, it is no road; above, it stands on the ground
KERB_NOISE, NOISE_AT_DEPTH, KNEE_NOISE = 0.015, 0.0015, 0.08  # m; m a m of depth; m: widths of those steps
ONE_DEPTH = 0.12  # difference of log depth between neighbouring cells of one thing; half of it along the row
THIN = (9 / 512, 25 / 512)  # share of the width that a thing must fill not to be thin
THINNEST = 0.7  # difference of log depth to what is behind, clipped
SHORTEST = 0.1  # m, of any length
TALLEST, WIDEST, FURTHEST_ASIDE = 12.0, 30.0, 40.0  # m


def structure_channels(
    height: np.ndarray, disparity: np.ndarray, camera: StereoCamera, finer: np.ndarray
) -> np.ndarray:
    """(STRUCTURE, h, w) float32.

    height: (h, w) m over the ground; disparity: (h, w) px of the grid, above 0; camera: at the grid's size;
    finer: (H, W) log inverse depth of the working image.
    """
    depth = camera.depth_scale / disparity
    aside = np.abs((np.arange(camera.width, dtype=np.float32)[None] - camera.cx) / camera.fx * depth)
    top, base = column_reach(height, np.log(disparity))
    width = row_length(np.log(disparity)) * depth / camera.fx
    lengths = [
        np.log(np.clip(length, low, most))
        for length, low, most in (
            (aside, 3 * SHORTEST, FURTHEST_ASIDE),
            (top, SHORTEST, TALLEST),
            (base, SHORTEST, TALLEST),
            (width, SHORTEST, WIDEST),
        )
    ]
    return np.stack([*raised(height, depth), *lengths, *thinness(finer, disparity.shape)]).astype(np.float32)


def raised(height: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (h, w), 0 on the road and 1 above: a soft step at a kerb, wider where depth is less sure, and one at a knee's
    height.

    height: (H, W) m over the ground; depth: (H, W) m.
    """
    return _step((height - KERB) / np.maximum(KERB_NOISE, NOISE_AT_DEPTH * depth)), _step((height - KNEE) / KNEE_NOISE)


def column_reach(height: np.ndarray, log_disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (h, w): highest and lowest height (m) of the cells of one depth above and below each cell; the ground itself
    reaches nowhere up.

    height: (H, W) m over the ground; log_disparity: (H, W).
    """
    top, base = height.copy(), height.copy()
    one = np.abs(np.diff(log_disparity, axis=0)) < ONE_DEPTH
    for row in range(1, len(height)):
        joined = one[row - 1] & (height[row] > KNEE)
        top[row] = np.where(joined, np.maximum(top[row - 1], height[row]), height[row])
    for row in range(len(height) - 2, -1, -1):
        base[row] = np.where(one[row], np.minimum(base[row + 1], height[row]), height[row])
    return top, base


def row_length(log_disparity: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W): cells of one depth side by side in each cell's row, itself among them."""
    one = np.abs(np.diff(log_disparity, axis=1)) < ONE_DEPTH / 2
    left, right = np.zeros_like(log_disparity), np.zeros_like(log_disparity)
    for column in range(1, log_disparity.shape[1]):
        left[:, column] = np.where(one[:, column - 1], left[:, column - 1] + 1, 0)
    for column in range(log_disparity.shape[1] - 2, -1, -1):
        right[:, column] = np.where(one[:, column], right[:, column + 1] + 1, 0)
    return left + right + 1


def thinness(log_inverse_depth: np.ndarray, cells: tuple[int, ...]) -> list[np.ndarray]:
    """By how much each cell is nearer than what lies to both sides of it, within each of THIN: mean top-hat over the
    cell's pixels.

    log_inverse_depth: (H, W); cells: (height, width) of the grid, the size of what comes back.
    """
    height, width = cells
    planes = []
    for share in THIN:
        row = np.ones((1, 2 * max(1, round(share * log_inverse_depth.shape[1] / 2)) + 1), np.uint8)
        hat = log_inverse_depth - cv2.morphologyEx(log_inverse_depth, cv2.MORPH_OPEN, row)
        planes.append(cv2.resize(np.minimum(hat, THINNEST), (width, height), interpolation=cv2.INTER_AREA))
    return planes


def log_inverse_depth(disparity: np.ndarray, known: np.ndarray, least: float) -> np.ndarray:
    """(H, W) px and which are known -> (H, W) float32 log of the filled disparity, not below `least` px."""
    return np.log(np.maximum(fill_disparity(np.where(known, disparity, 0).astype(np.float32), known), least)).astype(
        np.float32
    )


def _step(x: np.ndarray) -> np.ndarray:
    """(h, w) -> (h, w) in 0..1."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
