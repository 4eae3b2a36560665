"""Scenes whose flow and disparity are worked out from their geometry: a road, a wall at 40 m, two boxes."""

from collections.abc import Callable

import numpy as np
import pytest

from cups_train.geometry import se3
from cups_train.geometry.camera import points_of, project
from cups_train.types import SceneFlow, StereoCamera

CAMERA = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)
BOXES = ((slice(60, 100), slice(40, 100), 12.0), (slice(60, 95), slice(200, 250), 14.0))  # rows, columns, depth [m]


def make_scene(ego: np.ndarray, own: tuple[np.ndarray, np.ndarray], noise: float = 0.0) -> tuple[SceneFlow, np.ndarray]:
    """Scene flow of one pair, and the label map of the two boxes. `own`: motions of the boxes in the camera's frame at
    t."""
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width].astype(float)
    depth = np.where(v > CAMERA.cy + 1, np.minimum(1.4 * CAMERA.fy / np.maximum(v - CAMERA.cy, 1), 40), 40)
    label = np.zeros(depth.shape, int)
    for k, (rows, columns, z) in enumerate(BOXES, 1):
        label[rows, columns], depth[rows, columns] = k, z
    disparity = CAMERA.depth_scale / depth
    disparity[:20] = 0  # sky
    points = points_of(CAMERA, u, v, np.maximum(disparity, 1e-9))
    after = se3.apply(ego, points)
    for k, motion in enumerate(own, 1):
        after[label == k] = se3.apply(ego @ motion, points[label == k])
    u1, v1, d1 = np.moveaxis(project(CAMERA, after), -1, 0)
    rng = np.random.default_rng(0)
    flow = np.stack([u1 - u, v1 - v], -1) + noise * rng.normal(size=(*depth.shape, 2))
    ok = np.isfinite(flow).all(-1)
    d1 = np.where(disparity > 0, d1, 0) + noise * (disparity > 0) * rng.normal(size=depth.shape)
    sigma = np.full(depth.shape, max(noise, 0.03), np.float32)
    seen = np.where(disparity > 0, disparity + noise * rng.normal(size=depth.shape), 0)
    return SceneFlow(
        flow.astype(np.float32), seen.astype(np.float32), d1.astype(np.float32), ok, np.ones_like(ok), ok, sigma, sigma
    ), label


@pytest.fixture
def scene() -> Callable[..., tuple[SceneFlow, np.ndarray]]:
    """`make_scene`: scene flow and labels from the motions of the static points (4, 4), of both boxes, and the noise in
    px."""
    return make_scene
