"""Channels of the scene's shape on the grid of cells, from disparity and the ground plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.flow.fill import fill_disparity
from cups_train.geometry.ground import Ground, find_ground
from cups_train.semantics.structure import log_inverse_depth, structure_channels
from cups_train.types import StereoCamera

FAR = 80.0  # m: beyond, shape is noise
TALLEST = 12.0  # m
CLIP = 2.6  # m
LEVEL = Ground(np.array([0.0, 1.0, 0.0]), 1.5)


@dataclass(frozen=True, eq=False)
class Normals:
    """Unit normals of the cells' surfaces."""

    up: np.ndarray  # (h, w), along the ground's normal
    aside: np.ndarray  # (h, w), size of the part to the side
    ahead: np.ndarray  # (h, w), size of the part along the optical axis


def cell_disparity(disparity: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) float32 px, 0 = infinitely far, NaN = unknown -> (height, width) in px of the small grid; cells without a
    known pixel stay NaN."""
    known = np.isfinite(disparity).astype(np.float32)
    size = (width, height)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(np.where(known > 0, disparity, 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    scale = width / disparity.shape[1]
    return np.where(share > 0.25, total / np.maximum(share, 1e-6) * scale, np.nan).astype(np.float32)


def scene_shape(
    disparity: np.ndarray, camera: StereoCamera, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shape channels (SHAPE, h, w) and filled disparity (h, w), px of the small grid, on a grid of `size`.

    disparity: (H, W) px of the camera's image, 0 = infinitely far, NaN = unknown.
    The ground is found at full size: on the grid, its plane is off by a kerb's height. Where none is seen, a level
    camera at a car's height stands in.
    """
    known = np.isfinite(disparity)
    exact = np.where(known, disparity, 0).astype(np.float32)
    ground = find_ground(camera, exact, known & (exact > 0), rng) or LEVEL
    cells = cell_disparity(disparity, *size)
    filled = fill_disparity(np.where(np.isfinite(cells), cells, 0).astype(np.float32), np.isfinite(cells))
    small = camera.scaled(*size)
    surface = surface_channels(filled, small, ground)
    near = np.maximum(filled, small.depth_scale / FAR)
    structure = structure_channels(surface[0], near, small, log_inverse_depth(exact, known, camera.depth_scale / FAR))
    return np.concatenate([surface, structure]), filled


def surface_channels(disparity: np.ndarray, camera: StereoCamera, ground: Ground) -> np.ndarray:
    """(h, w) filled disparity [px of the grid] and the camera at the grid's size -> (SURFACE, h, w) float32."""
    height, width = disparity.shape
    u = (np.arange(width, dtype=np.float32)[None] - camera.cx) / camera.fx
    v = (np.arange(height, dtype=np.float32)[:, None] - camera.cy) / camera.fy
    near = np.maximum(disparity, camera.depth_scale / FAR).astype(np.float32)
    above = np.clip(ground.height_over(camera, near), -2, TALLEST)
    normals = _normals(near, u, v, camera, ground.normal)
    mean = cv2.blur(near, (5, 5))
    rough = np.sqrt(np.maximum(cv2.blur(near * near, (5, 5)) - mean * mean, 0)) / mean
    far = disparity < camera.depth_scale / FAR
    channels = (
        above,
        np.clip(above, 0, CLIP),
        np.sqrt(near / camera.depth_scale),
        normals.up,
        normals.aside,
        normals.ahead,
        np.log(rough + 1e-3),
        far,
    )
    return np.stack([np.asarray(channel, np.float32) for channel in channels])


def _normals(disparity: np.ndarray, u: np.ndarray, v: np.ndarray, camera: StereoCamera, ground: np.ndarray) -> Normals:
    """disparity: (h, w) px of the grid; u: (1, w), v: (h, 1) rays of the cells; ground: (3,) its normal.

    A plane n X = h has disparity f b n r / h on the ray r = (u, v, 1), so that n is parallel to (d'u, d'v, d - u d'u -
    v d'v).
    """
    smooth = cv2.GaussianBlur(disparity, (0, 0), 1.0)
    nx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8) * camera.fx
    ny = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8) * camera.fy
    nz = smooth - u * nx - v * ny
    length = np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-6)
    return Normals(
        (nx * ground[0] + ny * ground[1] + nz * ground[2]) / length, np.abs(nx) / length, np.abs(nz) / length
    )
