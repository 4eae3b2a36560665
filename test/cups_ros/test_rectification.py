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


@pytest.mark.parametrize("count", range(1, 16))
def test_distortion_of_any_length(count: int) -> None:
    """Zeros fill up to what OpenCV takes, and mean the same."""
    d = (-0.2, 0.05, 0.001, 0.002)[:count]
    short = replace(LENS, d=(*d, *[0.0] * (count - len(d))))
    assert (rectify(picture(), short) == rectify(picture(), replace(LENS, d=(*d, *[0.0] * (14 - len(d)))))).all()
    bent = replace(short, model="equidistant")
    assert rectify(picture(), bent).shape == picture().shape


@pytest.mark.parametrize(
    "model", ["Brown-Conrady", "brown_conrady", "Plumb Bob", "PLUMB_BOB", "radtan", "pinhole", "none", "opencv", ""]
)
def test_names_of_vendors_are_the_pinhole_lens(model: str) -> None:
    assert (rectify(picture(), replace(LENS, model=model)) == rectify(picture(), LENS)).all()


@pytest.mark.parametrize("model", ["Kannala-Brandt", "kannala_brandt4", "FISHEYE", "kb4"])
def test_names_of_vendors_are_the_fisheye(model: str) -> None:
    bent = replace(LENS, d=(0.1, 0.01, 0.0, 0.0), model="equidistant")
    assert (rectify(picture(), replace(bent, model=model)) == rectify(picture(), bent)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"r": (1.0,) * 9}, "expected a rotation in R"),
        ({"r": (-1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0)}, "expected a rotation in R"),
        ({"d": (1e30, 0.0, 0.0, 0.0)}, "numbers of a lens in D, found 1e[+]30"),
        ({"d": (0.1,) * 15}, "at most 14 numbers in D"),
        ({"d": (0.1,) * 5, "model": "equidistant"}, "at most 4 numbers in D"),
        ({"k": (1e12, *K[1:])}, "expected a focal length"),
        ({"p": (1e-9, *P[1:])}, "expected a focal length"),
        ({"k": (float("nan"), *K[1:])}, "no focal length"),
        ({"model": "inverse_brown_conrady"}, "'inverse_brown_conrady'"),
        ({"width": 0}, "size of the image, found 0x64"),
    ],
)
def test_what_no_camera_has(change: dict[str, object], words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        replace(LENS, **change)  # type: ignore[arg-type]


def test_a_size_that_is_not_told_is_that_of_the_images() -> None:
    untold = replace(LENS, height=0, width=0)
    assert (rectify(picture(), untold) == rectify(picture(), LENS)).all()
    assert untold.sized((64, 96)) == LENS and LENS.sized((1, 1)) == LENS
