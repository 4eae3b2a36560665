"""The ground plane, found in disparity space, where a plane of the world is a plane d = a u + b v + c (Labayrie's
v-disparity, in two dimensions)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.geometry.camera import pixel_grid
from cups_train.types import StereoCamera

TRIES = 200
MAX_TILT = np.radians(20)  # of the plane's normal against the image's vertical
HEIGHTS = (0.2, 4.0)  # m, camera over ground
MIN_SHARE = 0.15  # of the known pixels of the lower half that must lie on the plane
MAX_BELOW = 0.25  # of them that may lie under it


@dataclass(frozen=True, eq=False)
class Ground:
    """Points x on the ground fulfil normal . x = height."""

    normal: np.ndarray  # (3,) unit vector in the left camera's frame, pointing down
    height: float  # m, of the camera over the ground

    def height_over(self, camera: StereoCamera, disparity: np.ndarray) -> np.ndarray:
        """(H, W) float32 m over the ground of every pixel with positive disparity [px]; NaN elsewhere."""
        slope = self._slope(camera, disparity.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(disparity > 0, self.height - slope * camera.depth_scale / disparity, np.nan).astype(
                np.float32
            )

    def disparity(self, camera: StereoCamera, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) float32 px: the disparity that the ground has, or would have, at every pixel; not above 0 over the
        horizon."""
        return (camera.depth_scale / self.height * self._slope(camera, shape)).astype(np.float32)

    def _slope(self, camera: StereoCamera, shape: tuple[int, ...]) -> np.ndarray:
        """(H, W) float32: normal . ray of every pixel; rays have z = 1."""
        u, v = pixel_grid(*shape)
        n = self.normal
        return n[0] * (u - camera.cx) / camera.fx + n[1] * (v - camera.cy) / camera.fy + n[2]


def find_ground(camera: StereoCamera, disparity: np.ndarray, ok: np.ndarray, rng: np.random.Generator) -> Ground | None:
    """Robust ground plane from (H, W) disparity [px] and its validity; None where no plane is upright, below the camera
    and seen well enough."""
    height, width = disparity.shape
    step = max(2, width // 128)
    u, v = pixel_grid(height, width)
    low = (v > camera.cy) & ok & (disparity > 0.5)
    picked = np.zeros_like(low)
    picked[::step, ::step] = low[::step, ::step]
    rays = np.stack(
        [(u[picked] - camera.cx) / camera.fx, (v[picked] - camera.cy) / camera.fy, np.ones(picked.sum())], -1
    ).astype(np.float64)
    inverse_depth = disparity[picked].astype(np.float64) / camera.depth_scale
    if len(rays) < 50:
        return None
    tolerance = (0.5 + 0.02 * disparity[picked]) / camera.depth_scale
    plane = _sample_planes(rays, inverse_depth, tolerance, rng)
    if plane is None:
        return None
    for _ in range(3):
        inlier = np.abs(rays @ plane - inverse_depth) < tolerance
        plane = np.linalg.lstsq(
            rays[inlier] / tolerance[inlier, None], inverse_depth[inlier] / tolerance[inlier], rcond=None
        )[0]
    if not _plausible(plane[None])[0]:
        return None
    error = (rays @ plane - inverse_depth) / tolerance
    if (np.abs(error) < 1).mean() < MIN_SHARE or (error > 3).mean() > MAX_BELOW:
        return None
    size = np.linalg.norm(plane)
    return Ground(plane / size, float(1 / size))


def _sample_planes(
    rays: np.ndarray, inverse_depth: np.ndarray, tolerance: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """The plausible plane through three points with most support; points under it count against it.

    rays: (N, 3); inverse_depth, tolerance: (N,) 1/m -> (3,).
    """
    triples = rng.integers(0, len(rays), (TRIES, 3))
    a = rays[triples]
    good = np.abs(np.linalg.det(a)) > 1e-5
    if not good.any():
        return None
    planes = np.linalg.solve(a[good], inverse_depth[triples[good]][..., None])[..., 0]
    planes = planes[_plausible(planes)]
    if not len(planes):
        return None
    error = (planes @ rays.T - inverse_depth) / tolerance
    return planes[((np.abs(error) < 1).sum(1) - (error > 3).sum(1)).argmax()]


def _plausible(planes: np.ndarray) -> np.ndarray:
    """(N, 3) planes -> (N,) bool: upright, and below the camera."""
    size = np.linalg.norm(planes, axis=-1)
    return (planes[:, 1] > size * np.cos(MAX_TILT)) & (size > 1 / HEIGHTS[1]) & (size < 1 / HEIGHTS[0])
