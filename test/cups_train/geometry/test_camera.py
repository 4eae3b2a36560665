"""Rays, points and pixels, by hand."""

import numpy as np
import pytest

from cups_train.geometry.camera import pixel_grid, points_of, project
from cups_train.types import StereoCamera

CAMERA = StereoCamera(height=48, width=64, fx=50.0, fy=40.0, cx=31.5, cy=20.0, baseline=0.2)


def test_points_by_hand_and_projection_inverts():
    u, v = pixel_grid(48, 64)
    points = points_of(CAMERA, u, v, np.full((48, 64), 2.0))
    assert points[30, 61] == pytest.approx([5 * 29.5 / 50, 5 * 10 / 40, 5.0])  # depth = 50 * 0.2 / 2
    assert project(CAMERA, points)[7, 9] == pytest.approx((9, 7, 2), abs=1e-4)
    assert np.isnan(project(CAMERA, np.array([0.0, 0.0, -3.0]))).all()
