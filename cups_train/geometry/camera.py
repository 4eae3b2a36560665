"""Rays, points and pixels of the rectified left camera. Depth travels as disparity, so that "no finite depth" is the
plain value 0."""

from __future__ import annotations

import numpy as np

from cups_train.types import StereoCamera


def pixel_grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of every pixel: two (H, W) float32 arrays [px]."""
    v, u = np.mgrid[:height, :width].astype(np.float32)
    return u, v


def rays(camera: StereoCamera, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Viewing rays (x / z, y / z, 1) of pixels [px]: (..., 3), float64 for float64 input, else float32."""
    out = np.empty((*np.shape(u), 3), np.result_type(u, v, np.float32))
    out[..., 0] = (u - camera.cx) / camera.fx
    out[..., 1] = (v - camera.cy) / camera.fy
    out[..., 2] = 1
    return out


def points_of(camera: StereoCamera, u: np.ndarray, v: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """Points (..., 3) [m] of pixels with positive disparity [px]."""
    return rays(camera, u, v) * (camera.depth_scale / disparity)[..., None]


def project(camera: StereoCamera, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) [m] -> column, row, disparity (..., 3) [px]; NaN for points at or behind the camera (z <= 0.1
    m)."""
    z = np.where(points[..., 2] > 0.1, points[..., 2], np.nan)
    return np.stack(
        [
            camera.fx * points[..., 0] / z + camera.cx,
            camera.fy * points[..., 1] / z + camera.cy,
            camera.depth_scale / z,
        ],
        -1,
    )
