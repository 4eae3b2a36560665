"""Optical flow of shifts."""

import cv2
import numpy as np
import pytest

from cups_train.flow.dis import nearest_back, optical_flow


def constant(u: float, v: float, shape: tuple[int, int] = (96, 160)) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (*shape, 2)).copy()


def texture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 200, (120, 200))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5), 0, 255).astype(np.uint8)


def test_way_back_is_the_one_that_leads_closest_to_the_start():
    back, inside = nearest_back(constant(3, 0), [constant(-9, 0), constant(-2.5, 0)])
    assert (back == (-2.5, 0)).all() and inside[:, :157].all() and not inside[:, 157:].any()


def test_optical_flow_of_a_shift():
    ground = np.repeat(texture()[..., None], 3, -1)
    flow, ok = optical_flow(ground[10:106, 20:180], ground[7:103, 15:175])
    assert np.median(flow, (0, 1)) == pytest.approx([5, 3], abs=0.1)
    assert ok.mean() > 0.85
