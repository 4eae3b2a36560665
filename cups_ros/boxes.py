"""Boxes around the pixels of a mask, how far boxes overlap, and where they lie in a resized map. Numpy and OpenCV
only."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from cups_ros.types import Box

Corners = tuple[int, int, int, int]  # x1, y1, x2, y2
Window = tuple[slice, slice]  # rows, columns


def box_of(mask: np.ndarray) -> Box:
    """The box around the True pixels of a (H, W) bool mask; zeros where there are none."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, width, height


def window_of(mask: np.ndarray, margin: int = 0) -> Window:
    """Rows and columns of a (H, W) bool mask that is not empty, and `margin` pixels more."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), min(int(rows[-1]) + 1 + margin, mask.shape[0])),
        slice(max(int(columns[0]) - margin, 0), min(int(columns[-1]) + 1 + margin, mask.shape[1])),
    )


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, 4) and (M, 4) boxes x1, y1, x2, y2 -> (N, M) intersection over union."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.prod(np.maximum(bottom_right - top_left, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (first, second)]
    return overlap / np.maximum(areas[0][:, None] + areas[1][None] - overlap, 1e-9)


def enlarged(small: Box, size: tuple[int, ...], larger: tuple[int, ...]) -> Box:
    """A box in a map of `size` (height, width) -> the one in the map resized to `larger`, which holds every pixel of
    the box once or more."""
    x, y, width, height = small
    down, right = (_sources(size[axis], larger[axis]) for axis in (0, 1))
    (top, bottom), (left, end) = (
        down.searchsorted((y, y + height)).tolist(),
        right.searchsorted((x, x + width)).tolist(),
    )
    return left, top, end - left, bottom - top


def box_in_resized(map_: np.ndarray, value: int, small: Box, size: tuple[int, ...]) -> Box:
    """Box of a value in a resized (H, W) map, from its box `small` in the map of `size` (height, width) before; some
    pixels may have gone since."""
    left, top, width, height = box = enlarged(small, size, map_.shape)
    part = map_[top : top + height, left : left + width]
    if part.size and all((border == value).any() for border in (part[0], part[-1], part[:, 0], part[:, -1])):
        return box
    x, y, width, height = box_of(part == value)
    return left + x, top + y, width, height


@lru_cache(maxsize=16)
def _sources(source: int, target: int) -> np.ndarray:
    """(target,) the column that each column of a resized map is taken from, ascending; rows alike."""
    columns = np.arange(source, dtype=np.uint16)[None]
    return np.asarray(cv2.resize(columns, (target, 1), interpolation=cv2.INTER_NEAREST_EXACT))[0]
