from __future__ import annotations

import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from cups_ros.rectification import CalibrationError, lens_from

K = [100.0, 0.0, 48.0, 0.0, 100.0, 32.0, 0.0, 0.0, 1.0]
P = [100.0, 0.0, 48.0, 0.0, 0.0, 100.0, 32.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def info(**more: object) -> CameraInfo:
    return CameraInfo(
        width=96,
        height=64,
        distortion_model="Plumb_Bob",
        d=[0.0] * 5,
        k=K,
        r=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
        p=P,
        **more,
    )


def test_zeros_in_roi_and_binning_stand_for_the_whole_image() -> None:
    lens = lens_from(info())
    assert (lens.width, lens.height, lens.model, lens.k, lens.p) == (96, 64, "plumb_bob", tuple(K), tuple(P))


def test_roi_and_binning_make_another_camera() -> None:
    lens = lens_from(info(binning_x=2, binning_y=2, roi=RegionOfInterest(x_offset=16, y_offset=8, width=64, height=48)))
    pinhole = lens.pinhole()
    assert (pinhole.width, pinhole.height, pinhole.fx, pinhole.cx, pinhole.cy) == (32, 24, 50.0, 16.0, 12.0)
    assert lens.is_rectified("/camera/image_raw")


def test_a_camera_that_is_binned_away_is_refused() -> None:
    with pytest.raises(CalibrationError, match="expected the size of the image, found 0x64"):
        lens_from(info(binning_x=100))
