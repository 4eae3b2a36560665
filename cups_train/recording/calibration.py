"""CameraInfo to a rectified stereo camera and to the maps that rectify its images."""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cups_train.errors import RecordingError
from cups_train.recording.bag import CAMERA_INFO, deserialize, first_message
from cups_train.types import StereoCamera

FISHEYE = ("equidistant", "fisheye")
PINHOLE = ("", "plumb_bob", "rational_polynomial")
SAME_PX = 0.01  # intrinsics that differ by less are equal
Matrix = tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """One CameraInfo; matrices row by row."""

    topic: str
    frame_id: str
    width: int  # px
    height: int  # px
    model: str
    d: Matrix
    k: Matrix  # 3x3, px
    r: Matrix  # 3x3
    p: Matrix  # 3x4, px and px m


@dataclass(frozen=True)
class Rectification:
    """How an image becomes rectified: lens (k, d), rotation r, and the pinhole camera it shall have."""

    width: int  # px
    height: int  # px
    model: str
    d: Matrix
    k: Matrix
    r: Matrix
    target: Matrix  # 3x3, px


def read_calibration(path: Path, topic: str) -> Calibration:
    """The first CameraInfo of a topic. Raises RecordingError where it is not calibrated."""
    try:
        message = deserialize(first_message(path, topic)[1], CAMERA_INFO)
    except ValueError as error:
        raise RecordingError(f"expected a CameraInfo on {topic} in {path}, found one that cannot be read: {error}") from error
    return calibration_from_message(message, topic)


def calibration_from_message(message: Any, topic: str) -> Calibration:
    """Raises RecordingError where P or K is missing or the lens model is unknown."""
    d, k, r, p = (tuple(float(v) for v in np.ravel(a)) for a in (message.d, message.k, message.r, message.p))
    model = str(message.distortion_model).lower()
    if not np.isfinite((*d, *k, *r, *p)).all() or k[0] <= 0 or p[0] <= 0 or p[5] <= 0:
        raise RecordingError(f"expected a calibrated camera, found no focal length in K or P of {topic}; "
                             "calibrate the pair and record camera_info again")
    if model not in (*PINHOLE, *FISHEYE) and any(d):
        raise RecordingError("expected the lens model plumb_bob, rational_polynomial or equidistant, "
                             f"found {message.distortion_model!r} on {topic}; record rectified images (image_rect) instead")
    if not any(r):
        r = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return Calibration(topic, str(message.header.frame_id), int(message.width), int(message.height), model, d, k, r, p)


def is_rectified(calibration: Calibration, image_topic: str) -> bool:
    """Images of a `rect` topic are rectified whatever D says (ROS: its camera_info is the raw image's); others where K, D, R, P say so."""
    if re.search(r"(^|[/_])rect(ified)?([/_]|$)", image_topic):
        return True
    identity = np.allclose(np.reshape(calibration.r, (3, 3)), np.eye(3), atol=1e-6)
    return not any(calibration.d) and identity and np.allclose(calibration.k, pinhole(calibration), atol=SAME_PX)


def pinhole(calibration: Calibration) -> Matrix:
    """3x3 intrinsics of the rectified image."""
    p = calibration.p
    return (*p[0:3], *p[4:7], *p[8:11])


def rectification(calibration: Calibration, image_topic: str, target: Matrix) -> Rectification | None:
    """What brings an image of this camera to the pinhole camera `target`; None where it has it already."""
    size = calibration.width, calibration.height
    if not is_rectified(calibration, image_topic):
        return Rectification(*size, calibration.model, calibration.d, calibration.k, calibration.r, target)
    own = pinhole(calibration)
    if np.allclose(own, target, atol=SAME_PX):
        return None
    return Rectification(*size, "", (), own, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), target)


def rectify(image: np.ndarray, how: Rectification | None) -> np.ndarray:
    """(H, W, 3) uint8 as seen by the rectified camera, bilinear; black where the lens saw nothing."""
    return image if how is None else np.asarray(cv2.remap(image, *_maps(how), cv2.INTER_LINEAR))


@lru_cache(maxsize=8)
def _maps(how: Rectification) -> tuple[np.ndarray, np.ndarray]:
    k, r, target = (np.reshape(matrix, (3, 3)) for matrix in (how.k, how.r, how.target))
    d, size = np.array(how.d, np.float64), (how.width, how.height)
    if how.model in FISHEYE and d.any():
        return cv2.fisheye.initUndistortRectifyMap(k, d[:4], r, target, size, cv2.CV_16SC2)
    return cv2.initUndistortRectifyMap(k, d, r, target, size, cv2.CV_16SC2)


def baseline(left: Calibration, right: Calibration) -> float:
    """Distance of the two rectified cameras [m], positive where `right` is to the right of `left`: P[0, 3] is -fx times it."""
    return (left.p[3] - right.p[3]) / right.p[0]


def stereo_camera(left: Calibration, right: Calibration) -> StereoCamera:
    """The rectified pair. Raises RecordingError where left and right are swapped or have no baseline."""
    metres = baseline(left, right)
    if metres < 0:
        raise RecordingError(f"expected the right camera to the right of the left one, found a baseline of {metres:.3f} m from P of {left.topic} and "
                             f"{right.topic}: left and right are swapped; swap `--left` and `--right` (and their `-info`)")
    if metres < 1e-4:
        raise RecordingError(f"expected a baseline in P of the right camera (P[3] = -fx * baseline), found P[3] = {right.p[3]:g} on {right.topic}; "
                             "calibrate the pair as a stereo camera")
    if (left.width, left.height) != (right.width, right.height):
        raise RecordingError(f"expected left and right of one size, found {left.width}x{left.height} on {left.topic} and "
                             f"{right.width}x{right.height} on {right.topic}; `--left` and `--right` name a pair of one size")
    p = left.p
    return StereoCamera(left.width, left.height, p[0], p[5], p[2], p[6], metres)
