"""The ground plane."""

import numpy as np
import pytest

from cups_train.geometry.ground import find_ground
from cups_train.types import StereoCamera


def _street(camera: StereoCamera, normal: np.ndarray, height: float) -> np.ndarray:
    v, u = np.mgrid[: camera.height, : camera.width]
    slope = normal[0] * (u - camera.cx) / camera.fx + normal[1] * (v - camera.cy) / camera.fy + normal[2]
    return np.maximum(camera.depth_scale / height * slope, camera.depth_scale / 40)  # a wall at 40 m closes the street


def test_ground_behind_half_a_picture_of_obstacles():
    camera = StereoCamera(160, 320, 350, 350, 159.5, 70, 0.22)
    normal = np.array([0.03, 0.998, 0.05]) / np.linalg.norm([0.03, 0.998, 0.05])
    disp = _street(camera, normal, 1.4)
    rng = np.random.default_rng(0)
    disp[60:120, :140] = 9  # a wall to the left
    disp = (disp + rng.normal(0, 0.15, disp.shape)).astype(np.float32)
    ground = find_ground(camera, disp, rng.random(disp.shape) > 0.2, rng)
    assert ground is not None
    assert ground.normal == pytest.approx(normal, abs=0.01) and ground.height == pytest.approx(1.4, abs=0.03)
    assert abs(float(np.median(ground.height_over(camera, disp)[130:, :]))) < 0.03


def test_no_ground_in_front_of_a_wall():
    camera = StereoCamera(160, 320, 350, 350, 159.5, 70, 0.22)
    assert (
        find_ground(camera, np.full((160, 320), 8, np.float32), np.ones((160, 320), bool), np.random.default_rng(0))
        is None
    )
    assert (
        find_ground(camera, np.zeros((160, 320), np.float32), np.zeros((160, 320), bool), np.random.default_rng(0))
        is None
    )
