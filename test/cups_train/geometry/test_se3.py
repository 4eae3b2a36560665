"""Rigid motions, against another way to them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cups_train.geometry import se3


def test_rotation_agrees_with_scipy_also_near_zero():
    vectors = np.array([[0.3, -0.2, 0.9], [1e-9, 0, 0], [0, 0, 0], [0, 3.1, 0]])
    assert se3.rotation(vectors) == pytest.approx(Rotation.from_rotvec(vectors).as_matrix(), abs=1e-12)
    assert se3.rotation_angle(se3.rotation(vectors)) == pytest.approx(np.linalg.norm(vectors, axis=1), abs=1e-9)


def test_fit_points_returns_the_motion_and_no_mirror_image():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 6, 3))
    a[1, :, 2] = 0  # a plane: the reflected solution fits as well
    want = se3.transform(se3.rotation(rng.normal(size=(4, 3))), rng.normal(size=(4, 3)))
    b = np.stack([se3.apply(m, p) for m, p in zip(want, a, strict=True)])
    assert se3.fit_points(a, b) == pytest.approx(want, abs=1e-9)
    assert se3.inverse(want) @ want == pytest.approx(np.broadcast_to(np.eye(4), (4, 4, 4)), abs=1e-12)
