"""Robust fits of rigid motions, and chi-square by hand."""

from dataclasses import replace

import numpy as np
import pytest

from cups_train.geometry import se3
from cups_train.motion.rigid_fit import FitOptions, chi_square, correspondences_at, fit
from cups_train.types import StereoCamera

CAMERA = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)
STILL = np.eye(4)


def shift(x: float, z: float = 0.0) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, z]))


def test_fit_recovers_a_motion_among_outliers(scene):
    motion = se3.transform(se3.rotation(np.array([0.01, -0.02, 0.005])), np.array([0.1, 0.02, -0.4]))
    flow, _ = scene(motion, (shift(2.0), shift(-2.0)))
    where = np.zeros(flow.flow_ok.shape, bool)
    where[25::9, 5::9] = True
    samples = correspondences_at(flow, CAMERA, where)
    own, covariance = fit(
        CAMERA, samples.pick(np.arange(len(samples.rays))[None]), np.eye(4), FitOptions(np.zeros(3), steps=25)
    )
    assert own[0] == pytest.approx(motion, abs=2e-3)
    assert (np.linalg.eigvalsh(covariance[0]) > 0).all()


def test_chi_square_by_hand(scene):
    """One pixel, no motion: (1 / 0.5)^2 for the flow and, with equal noise of both disparities, 0.4^2 / (0.1^2 +
    0.1^2)."""
    flow, _ = scene(STILL, (STILL, STILL))
    where = np.zeros(flow.flow_ok.shape, bool)
    where[70, 60] = True
    samples = correspondences_at(flow, CAMERA, where)
    samples = replace(
        samples, target=samples.target + [1.0, 0, 0.4], sigma=np.array([[0.5, 0.5, 0.1]]), source_sigma=np.array([0.1])
    )
    assert chi_square(CAMERA, np.eye(4), samples) == pytest.approx([4 + 0.16 / 0.02], rel=1e-4)
    behind = se3.transform(np.eye(3), np.array([0, 0, -50.0]))
    assert np.isinf(chi_square(CAMERA, behind, samples)).all()
