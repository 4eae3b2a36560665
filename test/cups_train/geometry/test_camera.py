"""Rays, points and pixels, by hand."""

import numpy as np
import pytest

from cups_train.geometry.camera import back_project, project
from cups_train.types import StereoCamera

CAMERA = StereoCamera(height=48, width=64, fx=50.0, fy=40.0, cx=31.5, cy=20.0, baseline=0.2)


def test_back_projection_of_one_pixel_by_hand():
    points = back_project(CAMERA, np.full((48, 64), 2.0, np.float32))
    assert points[30, 61] == pytest.approx([5 * 29.5 / 50, 5 * 10 / 40, 5.0])  # depth = 50 * 0.2 / 2


def test_no_disparity_is_no_point_and_projection_inverts():
    disp = np.full((48, 64), 2.0, np.float32)
    disp[0, 0] = 0
    points = back_project(CAMERA, disp)
    assert np.isnan(points[0, 0]).all()
    assert project(CAMERA, points)[7, 9] == pytest.approx((9, 7, 2), abs=1e-4)
    assert np.isnan(project(CAMERA, np.array([0.0, 0.0, -3.0]))).all()
