"""Image and depth messages of ROS -> arrays, without copies where the layout allows it. A malformed message raises a
MessageError, nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from stereo_msgs.msg import DisparityImage

from cups_ros.decoding import (
    MAX_MEGAPIXELS,
    MEGA,
    SHOWN,
    MessageError,
    check_size,
    floats_from,
    millimetres_from,
    rgb_from_compressed,
    rgb_from_raw,
)
from cups_ros.depth import depth_from_disparity
from cups_ros.encodings import ENCODINGS, MONO16, plain_encoding

MILLIMETRE_M = 0.001


def rgb_from(message: Image | CompressedImage, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """An image message of either type -> (H, W, 3) uint8 RGB. Raises MessageError.

    Encodings that our decoder does not know go to cv_bridge where it is installed.
    """
    if isinstance(message, CompressedImage):
        return rgb_from_compressed(message, max_megapixels)
    if plain_encoding(message.encoding) in ENCODINGS:
        return rgb_from_raw(message, max_megapixels)
    check_size((message.height, message.width), max_megapixels)
    return _by_cv_bridge(message)


def depth_from(message: Image | DisparityImage) -> np.ndarray:
    """A depth image (16UC1 or mono16 [mm], 32FC1 [m]) or a disparity image -> (H, W) float32 depth [m], 0 = unknown.
    Raises MessageError."""
    if isinstance(message, DisparityImage):
        if message.f <= 0 or message.t <= 0:
            raise MessageError(
                f"disparity image with f = {message.f:g} and t = {message.t:g}: expected focal "
                "length and baseline above 0"
            )
        return depth_from_disparity(_floats(message.image, "disparity"), message.f, message.t, message.min_disparity)
    if message.encoding in MONO16:
        return millimetres_from(message).astype(np.float32) * np.float32(MILLIMETRE_M)
    return np.nan_to_num(_floats(message, "depth"), nan=0.0, posinf=0.0, neginf=0.0)


def values_in(message: Image | DisparityImage) -> str:
    """What a depth or disparity image holds, in words, where no pixel of it can be used. Raises MessageError."""
    if isinstance(message, DisparityImage):
        return f"{_span(_floats(message.image, 'disparity'))} px; a disparity is above 0, left minus right"
    if message.encoding in MONO16:
        return f"{_span(millimetres_from(message))} mm"
    return f"{_span(_floats(message, 'depth'))} m; 32FC1 is in metres"


def _span(values: np.ndarray) -> str:
    """(H, W) numbers: from the least to the greatest of those that are finite and not 0, which stands for unknown."""
    known = values[np.isfinite(values) & (values != 0)]
    return f"{known.min():g} to {known.max():g}" if known.size else "no value but 0"


def _floats(message: Image, what: str) -> np.ndarray:
    """(H, W) float32."""
    if message.encoding != "32FC1":
        raise MessageError(
            f"{what} image encoding is {message.encoding[:SHOWN]!r}, expected 32FC1"
            + (" or 16UC1" if what == "depth" else "")
        )
    check_size((message.height, message.width), MEGA)
    return floats_from(message)


def _by_cv_bridge(message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    bridge = _cv_bridge()
    if bridge is None:
        raise MessageError(
            f"image encoding {message.encoding[:SHOWN]!r} is not supported; expected one of {', '.join(ENCODINGS)}, "
            "or install cv_bridge for others"
        )
    try:
        image = np.asarray(bridge.CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except Exception as error:  # cv_bridge's own error, cv2.error, or a KeyError for an encoding that it does not know
        raise MessageError(
            f"image encoding {message.encoding[:SHOWN]!r} cannot be converted by cv_bridge: {error}"
        ) from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise MessageError(
            f"image encoding {message.encoding[:SHOWN]!r} gives {image.dtype} {image.shape} by cv_bridge, expected "
            "(H, W, 3) uint8"
        )
    return image


def _cv_bridge() -> Any:
    try:
        import cv_bridge
    except (ImportError, AttributeError):  # AttributeError: built for another numpy
        return None
    return cv_bridge if hasattr(cv_bridge, "CvBridge") else None
