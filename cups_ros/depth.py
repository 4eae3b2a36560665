"""Depth to metres: where each segment of a panoptic map lies and how far it reaches. Numpy and OpenCV only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.ma

from cups_ros.types import Panoptic, Point, Segment

LEAST_PIXELS = 5  # with depth, for a position
NEAREST_M = 0.1
REACH = (5.0, 95.0)  # percentiles between which a segment reaches: a few wrong pixels do not count


@dataclass(frozen=True)
class Pinhole:
    """A rectified camera, for an image of its own size [px]."""

    height: int
    width: int
    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, height: int, width: int) -> Pinhole:
        """The same camera at another image size (half-pixel rule)."""
        x, y = width / self.width, height / self.height
        return Pinhole(height, width, self.fx * x, self.fy * y, (self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5)


@dataclass(frozen=True)
class Located:
    """Where a segment is, in the camera's optical frame: x right, y down, z ahead [m]."""

    segment: Segment
    position: Point  # middle of its reach
    extent: Point  # its reach along x, y, z
    pixels: int  # that had a depth


def depth_from_disparity(
    disparity: np.ndarray, focal_px: float, baseline_m: float, smallest: float = 0.0
) -> np.ndarray:
    """(H, W) disparity [px] -> (H, W) float32 depth [m], 0 where there is none: z = f b / d."""
    valid = np.isfinite(disparity) & (disparity > max(smallest, 0.0))
    depth = np.zeros(disparity.shape, np.float32)
    np.divide(np.float32(focal_px * baseline_m), disparity, out=depth, where=valid)
    return depth


def usable(depth: np.ndarray, farthest_m: float) -> np.ndarray:
    """(H, W) float depth [m] -> (H, W) bool: near enough to be measured, and not too near."""
    return np.isfinite(depth) & (depth >= NEAREST_M) & (depth <= farthest_m)


def locate(panoptic: Panoptic, depth: np.ndarray, camera: Pinhole, farthest_m: float) -> tuple[Located, ...]:
    """Where the segments are, those that have depth; unknown objects are no one place.

    depth: (H, W) float [m] of the same view, of any size; 0, negative or not finite = unknown. camera: of any size too.
    """
    height, width = depth.shape
    camera = camera.scaled(height, width)
    valid = usable(depth, farthest_m)
    class_ids, instances = (_at_size(map_, (height, width)) for map_ in (panoptic.class_id, panoptic.instance_id))
    found = []
    for segment in panoptic.segments:
        if segment.is_crowd:
            continue
        window = _window(segment, panoptic.class_id.shape, (height, width))
        mask = valid[window] & (class_ids[window] == segment.class_id) & (instances[window] == segment.instance_id)
        rows, columns = np.nonzero(mask)
        if rows.size < LEAST_PIXELS:
            continue
        z = depth[window][mask].astype(np.float64)
        x = (columns + window[1].start - camera.cx) / camera.fx * z
        y = (rows + window[0].start - camera.cy) / camera.fy * z
        low, high = np.percentile(np.stack([x, y, z]), REACH, axis=1)
        middle, reach = (low + high) / 2, high - low
        found.append(Located(segment, _point(middle), _point(reach), int(rows.size)))
    return tuple(found)


def _at_size(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) -> (height, width) as `size` says, nearest."""
    if labels.shape == size:
        return labels
    return np.asarray(cv2.resize(labels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT))


def _window(segment: Segment, full: tuple[int, ...], size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of the depth image that holds a segment."""
    x, y, width, height = segment.bbox
    down, right = size[0] / full[0], size[1] / full[1]
    return (
        slice(max(0, int(y * down) - 1), min(size[0], int((y + height) * down) + 2)),
        slice(max(0, int(x * right) - 1), min(size[1], int((x + width) * right) + 2)),
    )


def _point(values: np.ndarray) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
