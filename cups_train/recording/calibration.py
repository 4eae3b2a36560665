"""CameraInfo to a rectified stereo camera and to the maps that rectify its images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cups_ros import rectification as lenses
from cups_ros.rectification import IDENTITY, SAME_PX, CalibrationError, Lens, Numbers, lens_from, whole_lens
from cups_train.errors import RecordingError
from cups_train.types import StereoCamera


@dataclass(frozen=True)
class Calibration(Lens):
    """One CameraInfo."""

    topic: str
    frame_id: str
    whole: Lens = field(repr=False)  # of the sensor, before binning and cutting


@dataclass(frozen=True)
class Rectification:
    """How an image becomes rectified: by what lens it was taken, and the pinhole camera it shall have."""

    lens: Lens
    target: Numbers  # 3x3, px


def calibration_from_message(message: Any, topic: str) -> Calibration:
    """Raises RecordingError where P or K is missing or the lens model is unknown."""
    try:
        lens = lens_from(message)
        return Calibration(**vars(lens), topic=topic, frame_id=str(message.header.frame_id), whole=whole_lens(message))
    except CalibrationError as error:
        raise RecordingError(
            f"{error} on {topic}; calibrate the pair and record camera_info again, "
            "or record rectified images (image_rect)"
        ) from error


def rectification(calibration: Calibration, rectified: bool, target: Numbers) -> Rectification | None:
    """What brings an image of this camera, `rectified` as recorded or not, to the pinhole camera `target`; None where
    it has it already."""
    if not rectified:
        return Rectification(calibration, target)
    own = calibration.target()
    if np.allclose(own, target, atol=SAME_PX):
        return None
    return Rectification(replace(calibration, model="", d=(), k=own, r=IDENTITY), target)


def rectify(image: np.ndarray, how: Rectification | None) -> np.ndarray:
    """(H, W, 3) uint8 as seen by the rectified camera, bilinear; black where the lens saw nothing."""
    return image if how is None else lenses.rectify(image, how.lens, how.target)


def baseline(left: Calibration, right: Calibration) -> float:
    """Distance of the two rectified cameras [m], positive where `right` is to the right of `left`: P[0, 3] is -fx times
    it."""
    return (left.p[3] - right.p[3]) / right.p[0]


def stereo_camera(left: Calibration, right: Calibration, given_m: float = 0.0) -> StereoCamera:
    """The rectified pair; `given_m` is the baseline where P cannot tell. Raises RecordingError where left and right are
    swapped or have no baseline."""
    metres = given_m or baseline(left, right)
    if metres < 0:
        raise RecordingError(
            f"expected the right camera to the right of the left one, found a baseline of {metres:.3f} m from P of "
            f"{left.topic} and {right.topic}: left and right are swapped, then swap `--left` and `--right` (and their "
            f"`-info`), or P[3] of {right.topic} has the wrong sign, then add `-o recording.baseline={-metres:.4g}`"
        )
    if metres < 1e-4:
        raise RecordingError(
            f"expected a baseline in P of the right camera (P[3] = -fx * baseline), found P[3] = {right.p[3]:g} on "
            f"{right.topic}; calibrate the pair as a stereo camera, or give `-o recording.baseline=METRES`"
        )
    if (left.width, left.height) != (right.width, right.height):
        raise RecordingError(
            f"expected left and right of one size, found {left.width}x{left.height} on {left.topic} and "
            f"{right.width}x{right.height} on {right.topic}; `--left` and `--right` name a pair of one size"
        )
    p = left.p
    return StereoCamera(left.height, left.width, p[0], p[5], p[2], p[6], metres)
