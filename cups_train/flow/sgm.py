"""Disparity by semi-global matching, both ways, with a left-right check."""

from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry.camera import pixel_grid
from cups_train.geometry.warp import warp

CHECK_PX = 1.0  # largest difference of the two directions
BLOCK = 5
MAX_DISPARITY = 0.15  # share of the width


def disparity(
    left: np.ndarray, right: np.ndarray, max_disparity_share: float = MAX_DISPARITY
) -> tuple[np.ndarray, np.ndarray]:
    """Disparity of the left image.

    left, right: (H, W, 3) uint8 RGB, rectified; max_disparity_share: largest disparity, share of the width.
    -> (H, W) float32 px (0 where unknown) and (H, W) bool, True where both directions agree to 1 px.
    """
    forward, error = left_right_check(*match_both_ways(left, right, max_disparity_share))
    ok = error < CHECK_PX
    return np.where(ok, forward, 0).astype(np.float32), ok


def left_right_check(from_left: np.ndarray, from_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disparity of the left image (H, W) float32 px and its difference from the right image's, infinite where nothing
    was matched.

    from_left, from_right: of `match_both_ways`.
    """
    shift = np.stack([-from_left, np.zeros_like(from_left)], -1)
    other, inside = warp(from_right, shift, nearest=True)
    known = (from_left >= 0) & (other >= 0) & inside
    return np.maximum(from_left, 0), np.where(known, np.abs(from_left - other), np.inf).astype(np.float32)


def match_both_ways(left: np.ndarray, right: np.ndarray, max_disparity_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Unchecked disparities of the left and of the right image: (H, W) float32 px each, -1 where unmatched. Images as
    above."""
    steps = max(16, int(np.ceil(max_disparity_share * left.shape[1] / 16)) * 16)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (left, right)]
    from_left = _match(grey[0], grey[1], steps)
    return from_left, np.ascontiguousarray(_match(grey[1][:, ::-1], grey[0][:, ::-1], steps)[:, ::-1])


def _match(reference: np.ndarray, other: np.ndarray, steps: int) -> np.ndarray:
    """(H, W) float32 px, -1 where unmatched. Columns are added at the left, for the matcher answers nothing in its
    first `steps` columns."""
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=steps,
        blockSize=BLOCK,
        P1=8 * BLOCK**2,
        P2=32 * BLOCK**2,
        disp12MaxDiff=-1,
        preFilterCap=31,
        uniquenessRatio=5,
        speckleWindowSize=60,
        speckleRange=2,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    wide = [
        cv2.copyMakeBorder(np.ascontiguousarray(image), 0, 0, steps, 0, cv2.BORDER_REPLICATE)
        for image in (reference, other)
    ]
    found = matcher.compute(wide[0], wide[1])[:, steps:].astype(np.float32) / 16
    u, _ = pixel_grid(*found.shape)
    return np.where((found >= 0) & (found <= u + 0.5), found, -1).astype(np.float32)
