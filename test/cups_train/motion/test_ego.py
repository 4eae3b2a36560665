"""The camera's own motion among boxes that move."""

from dataclasses import replace

import numpy as np
import pytest

from cups_train.geometry import se3
from cups_train.geometry.camera import points_of, project
from cups_train.motion.ego import estimate_ego
from cups_train.types import StereoCamera

CAMERA = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)
# static points, t to t+1
FORWARD = se3.inverse(se3.transform(se3.rotation(np.array([0.0, 0.01, 0.0])), np.array([0.0, 0.0, 0.6])))
STILL = np.eye(4)


def shift(x: float, z: float = 0.0) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, z]))


@pytest.mark.parametrize("ego", [FORWARD, STILL, se3.transform(se3.rotation(np.array([0.0, 0.07, 0.01])), np.zeros(3))])
def test_ego_motion_driving_standing_and_turning_on_the_spot(scene, ego):
    flow, _ = scene(ego, (shift(0.5), STILL), noise=0.1)
    found = estimate_ego(flow, CAMERA, np.random.default_rng(0))
    assert found is not None
    error = se3.inverse(ego) @ found.motion
    assert se3.rotation_angle(error[:3, :3]) < 5e-4 and np.linalg.norm(error[:3, 3]) < 0.02


def test_a_prior_tells_the_scene_from_a_bus_that_fills_the_view(scene):
    flow, label = scene(FORWARD, (shift(0.5), STILL), noise=0.1)
    bus = se3.transform(np.eye(3), np.array([0.4, 0, 0.2]))
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width].astype(float)
    wall = (u > 110) & (v > 10) & (v < 150)
    points = points_of(CAMERA, u, v, np.full(u.shape, CAMERA.depth_scale / 9))
    u1, v1, d1 = np.moveaxis(project(CAMERA, se3.apply(FORWARD @ bus, points)), -1, 0)
    moved = np.stack([u1 - u, v1 - v], -1)
    hidden = replace(
        flow,
        flow=np.where(wall[..., None], moved, flow.flow).astype(np.float32),
        disparity=np.where(wall, CAMERA.depth_scale / 9, flow.disparity).astype(np.float32),
        disparity_next=np.where(wall, d1, flow.disparity_next).astype(np.float32),
    )
    # odometry is not exact
    off = FORWARD @ se3.transform(se3.rotation(np.array([0, 0.002, 0])), np.array([0.03, 0, 0.05]))
    told = estimate_ego(hidden, CAMERA, np.random.default_rng(0), off)
    alone = estimate_ego(hidden, CAMERA, np.random.default_rng(0))
    assert np.linalg.norm((se3.inverse(FORWARD) @ told.motion)[:3, 3]) < 0.03
    assert np.linalg.norm((se3.inverse(FORWARD @ bus) @ alone.motion)[:3, 3]) < 0.03  # without it the bus is the scene


def test_a_wrong_prior_does_no_harm(scene):
    flow, _ = scene(FORWARD, (shift(0.5), STILL), noise=0.1)
    wrong = se3.transform(se3.rotation(np.array([0, 0.05, 0])), np.array([0.5, 0, 1.0]))
    found = estimate_ego(flow, CAMERA, np.random.default_rng(0), wrong)
    assert np.linalg.norm((se3.inverse(FORWARD) @ found.motion)[:3, 3]) < 0.02


def test_no_ego_motion_from_noise(scene):
    rng = np.random.default_rng(0)
    flow, _ = scene(STILL, (STILL, STILL))
    wild = replace(flow, flow=rng.normal(0, 20, flow.flow.shape).astype(np.float32))
    assert estimate_ego(wild, CAMERA, rng) is None
