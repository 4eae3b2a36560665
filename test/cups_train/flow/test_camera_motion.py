"""The flow of the camera's own motion."""

import numpy as np
import pytest

from cups_train.flow.camera_motion import camera_motion, rigid_flow
from cups_train.geometry import se3
from cups_train.types import StereoCamera

CAMERA = StereoCamera(96, 160, 150, 150, 79.5, 47.5, 0.2)


def test_camera_motion_is_found_among_outliers_and_predicts_the_flow():
    rng = np.random.default_rng(1)
    motion = se3.transform(se3.rotation(np.array([0.004, -0.02, 0.003])), np.array([0.05, -0.02, -0.6]))
    disparity = (2 + 6 * rng.random((96, 160))).astype(np.float32)
    flow = rigid_flow(CAMERA, motion, disparity)
    wrong = rng.random(disparity.shape) < 0.25
    measured = flow + np.where(wrong[..., None], rng.normal(0, 8, flow.shape), rng.normal(0, 0.05, flow.shape)).astype(
        np.float32
    )
    found = camera_motion(CAMERA, measured, disparity, np.ones(disparity.shape, bool))
    assert found is not None
    assert found[:3, :3] == pytest.approx(motion[:3, :3], abs=5e-4) and found[:3, 3] == pytest.approx(
        motion[:3, 3], abs=5e-3
    )
    assert camera_motion(CAMERA, measured, disparity, np.zeros(disparity.shape, bool)) is None


def test_rigid_flow_by_hand():
    """0.5 m forward: a point at 10 m (disparity 3 px), 30 px right of the centre, goes to 30 * 10 / 9.5; what is
    infinitely far stays."""
    disparity = np.full((96, 160), 3, np.float32)
    disparity[:40] = 0
    flow = rigid_flow(CAMERA, se3.transform(np.eye(3), np.array([0, 0, -0.5])), disparity)
    assert flow[47, 109] == pytest.approx([29.5 * (10 / 9.5 - 1), -0.5 * (10 / 9.5 - 1)], abs=1e-4)
    assert (np.abs(flow[:40]) < 1e-4).all()
