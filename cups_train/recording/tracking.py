"""Corners tracked between two images: how far a pair is off its rows, and whether the car moved."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CORNERS = 600
BACK_PX = 0.5  # a corner that does not come back to its place is dropped
WINDOW = (21, 21)
FEWEST = 20  # corners, below it nothing is measured


def track_corners(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, 4) float32 px: x, y in `first` and x, y in `second`, both (H, W, 3) uint8 RGB. Pyramidal Lucas-Kanade,
    checked backwards."""
    here, there = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (first, second))
    corners = cv2.goodFeaturesToTrack(here, CORNERS, 0.01, 8)
    if corners is None:
        return np.empty((0, 4), np.float32)
    corners = corners.reshape(-1, 1, 2).astype(np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(here, there, corners, None, winSize=WINDOW, maxLevel=5)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(there, here, moved, None, winSize=WINDOW, maxLevel=5)
    good = (found.ravel() == 1) & (returned.ravel() == 1) & (np.linalg.norm(back - corners, axis=-1).ravel() < BACK_PX)
    return np.asarray(np.hstack([corners.reshape(-1, 2), moved.reshape(-1, 2)])[good])


@dataclass(frozen=True)
class RowOffset:
    """Medians over the corners of a pair [px]; a rectified pair has a distance of 0."""

    distance: float  # of the rows
    disparity: float


def row_offset(left: np.ndarray, right: np.ndarray) -> RowOffset | None:
    """How far a pair, (H, W, 3) uint8 RGB each, is off its rows; None where too few corners are found."""
    tracks = track_corners(left, right)
    if len(tracks) < FEWEST:
        return None
    dy, disparity = tracks[:, 3] - tracks[:, 1], tracks[:, 0] - tracks[:, 2]
    return RowOffset(float(np.median(np.abs(dy))), float(np.median(disparity)))


def corner_motion(now: np.ndarray, after: np.ndarray) -> float | None:
    """Median way of the corners [px] from one image to the next, (H, W, 3) uint8 RGB each; None where too few are
    found."""
    tracks = track_corners(now, after)
    return float(np.median(np.linalg.norm(tracks[:, 2:] - tracks[:, :2], axis=1))) if len(tracks) >= FEWEST else None
