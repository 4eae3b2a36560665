"""Disparity of shifted textures."""

import cv2
import numpy as np
import pytest

from cups_train.flow.sgm import disparity


def test_disparity_of_a_shifted_texture_reaches_the_left_border_of_what_both_see():
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (64, 220, 3), np.uint8).astype(np.float32), (5, 5), 1).astype(
        np.uint8
    )
    left, right = texture[:, :200], texture[:, 7:207]  # a point at left column x is at right column x - 7
    found, ok = disparity(left, right, 0.15)
    assert np.median(found[ok]) == pytest.approx(7, abs=0.1)
    assert ok[:, 12:190].mean() > 0.9 and not ok[:, :5].any()
