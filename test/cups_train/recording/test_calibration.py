import math

import cv2
import numpy as np
import pytest

from cups_train.errors import RecordingError
from cups_train.recording.calibration import calibration_from_message, rectification, rectify, stereo_camera

RAMP_X = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
RAMP_Y = np.tile(np.arange(48, dtype=np.uint8)[:, None] * 4, (1, 64))
RAMPS = np.dstack([RAMP_X, RAMP_Y, RAMP_X])
TURN = cv2.Rodrigues(np.array([0.02, -0.03, 0.05]))[0]


def _calibration(bags, right=False, **other):
    return calibration_from_message(bags.info(right, **other), "/info")


def _check(calibration, distort):
    """The rectified ramps hold the raw image's own coordinates: compare them with the lens formula."""
    target = calibration.target()
    image = rectify(RAMPS, rectification(calibration, False, target)).astype(float)
    k, inverse = np.reshape(calibration.k, (3, 3)), np.linalg.inv(np.reshape(calibration.r, (3, 3)))
    checked = 0
    for v in range(4, 44, 5):
        for u in range(4, 60, 5):
            ray = inverse @ [(u - target[2]) / target[0], (v - target[5]) / target[4], 1.0]
            x, y = distort(ray[0] / ray[2], ray[1] / ray[2])
            x, y = k[0, 0] * x + k[0, 2], k[1, 1] * y + k[1, 2]
            if 1 < x < 62 and 1 < y < 46:
                checked += 1
                assert abs(image[v, u, 0] - 3 * x) < 1.0 and abs(image[v, u, 1] - 4 * y) < 1.0
    assert checked > 40


def test_plumb_bob(bags):
    k1, k2, p1, p2, k3 = d = (-0.25, 0.06, 0.004, -0.003, 0.01)

    def distort(x, y):
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        return x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y

    _check(_calibration(bags, d=np.array(d), r=TURN.ravel(), k=np.array([55, 0, 30.0, 0, 54, 24.0, 0, 0, 1])), distort)


def test_rational_polynomial(bags):
    k1, k2, _, _, k3, k4, k5, k6 = d = (0.3, 0.05, 0, 0, 0.01, 0.5, 0.1, 0.02)

    def distort(x, y):
        r2 = x * x + y * y
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        return x * radial, y * radial

    _check(_calibration(bags, d=np.array(d), distortion_model="rational_polynomial"), distort)


@pytest.mark.parametrize("model", ["equidistant", "fisheye"])
def test_equidistant(bags, model):
    k = (-0.02, 0.01, -0.003, 0.001)

    def distort(x, y):
        radius = math.hypot(x, y) or 1e-9
        t = math.atan(radius)
        bent = t * (1 + k[0] * t**2 + k[1] * t**4 + k[2] * t**6 + k[3] * t**8)
        return x * bent / radius, y * bent / radius

    _check(_calibration(bags, d=np.array(k), r=TURN.ravel(), distortion_model=model), distort)


def test_what_counts_as_rectified(bags):
    plain = _calibration(bags)
    assert plain.is_rectified("/left/image_raw")
    bent = _calibration(bags, d=np.array([-0.2, 0, 0, 0, 0.0]))
    assert not bent.is_rectified("/left/image_raw")
    assert not _calibration(bags, r=TURN.ravel()).is_rectified("/left/image_raw")
    assert not _calibration(bags, k=np.array([52, 0, 31.5, 0, 52, 23.5, 0, 0, 1.0])).is_rectified("/left/image_raw")
    for topic in ("/left/image_rect", "/left/image_rect_color/compressed", "/zed/left/rect/image", "/rectified/left"):
        assert bent.is_rectified(topic), topic
    assert not bent.is_rectified("/direct/left/correct_image")


def test_rectified_images_are_used_as_they_are(bags):
    plain = _calibration(bags)
    assert rectification(plain, True, plain.target()) is None
    assert rectify(RAMPS, None) is RAMPS


def test_right_image_gets_the_left_principal_point(bags):
    """P of the right camera with its own cx: its image is shifted, so that disparity 0 is infinity."""
    right = _calibration(
        bags,
        True,
        k=np.array([50, 0, 35.5, 0, 50, 23.5, 0, 0, 1.0]),
        p=np.array([50, 0, 35.5, -10, 0, 50, 23.5, 0, 0, 0, 1, 0.0]),
    )
    image = rectify(RAMPS, rectification(right, True, _calibration(bags).target()))
    assert (image[:, :-4] == RAMPS[:, 4:]).all()


def test_stereo_camera(bags):
    camera = stereo_camera(_calibration(bags), _calibration(bags, True))
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 50, 50, 31.5, 23.5)
    assert camera.baseline == pytest.approx(0.2)


def test_swapped_and_without_baseline(bags):
    with pytest.raises(RecordingError, match="baseline of -0.200 m.*swapped.*--left"):
        stereo_camera(_calibration(bags, True), _calibration(bags))
    with pytest.raises(RecordingError, match=r"P\[3\] = 0"):
        stereo_camera(_calibration(bags), _calibration(bags))


def test_bad_calibrations(bags):
    with pytest.raises(RecordingError, match="found no focal length in K or P on /info"):
        _calibration(bags, p=np.zeros(12))
    with pytest.raises(RecordingError, match="found 'omni' on /info"):
        _calibration(bags, distortion_model="omni", d=np.ones(4))


def test_p_alone_describes_a_rectified_image(bags):
    nothing = {"k": np.zeros(9), "r": np.zeros(9), "d": np.zeros(0)}
    alone = _calibration(bags, **nothing)
    assert alone.is_rectified("/left/image_raw") and rectification(alone, True, alone.target()) is None
    assert stereo_camera(alone, _calibration(bags, True, **nothing)).baseline == pytest.approx(0.2)


def test_distortion_without_k(bags):
    with pytest.raises(RecordingError, match="no focal length in K or P on /info"):
        _calibration(bags, k=np.zeros(9), d=np.full(5, 0.1))


@pytest.mark.parametrize("binning", [1, 2, 4])
def test_binning_and_roi(bags, binning):
    message = bags.info(False, width=200, height=120)
    message.binning_x = message.binning_y = binning
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 16, 8, 128, 96
    shown = calibration_from_message(message, "/info")
    assert (shown.width, shown.height) == (128 // binning, 96 // binning)
    assert shown.p[0] == pytest.approx(50 / binning) and shown.p[2] == pytest.approx((31.5 - 16) / binning)
    assert (shown.whole.width, shown.whole.height, shown.whole.p[0]) == (200, 120, 50)


def test_a_baseline_by_the_settings(bags):
    wrong = _calibration(bags, True, p=np.array([50, 0, 31.5, 10, 0, 50, 23.5, 0, 0, 0, 1, 0.0]))
    with pytest.raises(RecordingError, match=r"wrong sign, then add `-o recording.baseline=0.2`"):
        stereo_camera(_calibration(bags), wrong)
    assert stereo_camera(_calibration(bags), wrong, 0.2).baseline == 0.2
