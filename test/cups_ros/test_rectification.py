from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cups_ros.rectification import CalibrationError, Lens, rectify

K = (100.0, 0.0, 48.0, 0.0, 100.0, 32.0, 0.0, 0.0, 1.0)
P = (90.0, 0.0, 47.0, 0.0, 0.0, 90.0, 31.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURN = tuple(cv2.Rodrigues(np.array([0.01, 0.02, -0.01]))[0].ravel().tolist())
LENS = Lens(64, 96, "plumb_bob", (-0.2, 0.05, 0.001, 0.0, 0.0), K, TURN, P)


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


def test_a_straight_lens_with_another_target_moves_the_picture() -> None:
    straight = replace(LENS, d=(), r=(0.0,) * 9, k=(90.0, 0, 47, 0, 90, 31, 0, 0, 1))
    assert (rectify(picture(), straight) == picture()).all()
    moved = rectify(picture(), straight, (90.0, 0, 43, 0, 90, 31, 0, 0, 1))
    assert (moved[:, :-4] == picture()[:, 4:]).all()


def test_topics_and_matrices_tell_what_is_rectified() -> None:
    assert (
        LENS.is_rectified("/left/image_rect")
        and LENS.is_rectified("/left/image_rect_color")
        and not LENS.is_rectified("/direct/image")
    )
    straight = replace(LENS, d=(0.0,) * 5, r=(1.0, 0, 0, 0, 1, 0, 0, 0, 1), k=(90.0, 0, 47, 0, 90, 31, 0, 0, 1))
    assert straight.is_rectified("/left/image_raw") and not replace(straight, r=TURN).is_rectified("/left/image_raw")


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(CalibrationError, match="no focal length"):
        replace(LENS, k=(0.0,) * 9)
    with pytest.raises(CalibrationError, match="'mirror'"):
        replace(LENS, model="mirror")
    with pytest.raises(CalibrationError, match="expected an image of 96x64 pixels as camera_info says, found 10x20"):
        rectify(np.zeros((20, 10, 3), np.uint8), LENS)


def test_a_cut_image_is_rectified_like_that_part_of_the_whole_one() -> None:
    smooth = cv2.GaussianBlur(picture(), (0, 0), 2)
    whole = rectify(smooth, LENS)
    part = rectify(smooth[8:56, 16:80], LENS.shown((16, 8, 64, 48), (1, 1)))
    inner = slice(12, -12), slice(12, -12)
    assert np.abs(whole[8:56, 16:80][inner].astype(int) - part[inner]).max() <= 1


def test_binned_images_have_the_focal_length_of_their_pixels() -> None:
    lens = replace(LENS, p=(90.0, 0.0, 47.0, -45.0, *P[4:])).shown((16, 8, 64, 48), (2, 4))
    assert (lens.width, lens.height) == (32, 12)
    assert lens.k == pytest.approx((50.0, 0, 16.0, 0, 25.0, 6.0, 0, 0, 1))  # (48 - 16) / 2, (32 - 8) / 4
    assert lens.p == pytest.approx((45.0, 0, 15.5, -22.5, 0, 22.5, 5.75, 0, 0, 0, 1, 0))
    assert (lens.d, lens.r) == (LENS.d, LENS.r)
