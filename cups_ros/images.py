"""Image messages -> arrays, without copies where the layout allows it. A malformed message raises a MessageError, nothing else."""
from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage

from cups_ros.depth import depth_from_disparity

_CHANNELS = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "8UC4": 4, "mono8": 1, "8UC1": 1,
             "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2, "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1}
_MONO16 = ("mono16", "16UC1")
# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_TO_RGB = {"bgr8": cv2.COLOR_BGR2RGB, "8UC3": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB, "8UC4": cv2.COLOR_BGRA2RGB,
           "mono8": cv2.COLOR_GRAY2RGB, "8UC1": cv2.COLOR_GRAY2RGB, "yuv422": cv2.COLOR_YUV2RGB_UYVY, "uyvy": cv2.COLOR_YUV2RGB_UYVY,
           "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2, "yuyv": cv2.COLOR_YUV2RGB_YUY2,
           "bayer_rggb8": cv2.COLOR_BayerBG2RGB, "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
           "bayer_gbrg8": cv2.COLOR_BayerGR2RGB, "bayer_grbg8": cv2.COLOR_BayerGB2RGB}
_DECODE = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG_START, _JPEG_END, _PNG_START = b"\xff\xd8", b"\xff\xd9", b"\x89PNG\r\n\x1a\n"
_JPEG_TAIL = 1024  # bytes in which the end marker lies; some drivers pad
_HEAD = 1 << 18  # bytes in which the size stands, after what a camera wrote about itself
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers that a frame's size follows
_MILLIMETRE_M = 0.001
_SHOWN = 40  # characters of a name in a sentence
MEGA = 1e6


class MessageError(ValueError):
    """A message that cannot be used: one sentence with what was expected and what was found."""


def stamp_ns(header: Header) -> int:
    """The stamp of a header [ns]."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def rgb_from(message: Image | CompressedImage, max_megapixels: float = 1000.0) -> np.ndarray:
    """An image message of either type -> (H, W, 3) uint8 RGB. Raises MessageError."""
    return rgb_from_image(message, max_megapixels) if isinstance(message, Image) else rgb_from_compressed(message, max_megapixels)


def rgb_from_image(message: Image, max_megapixels: float = 1000.0) -> np.ndarray:
    """sensor_msgs/Image -> (H, W, 3) uint8 RGB; a view of the message's data where it is rgb8, the high byte of mono16.

    Rows may be padded (`step`). Encodings that are not known here go to cv_bridge where it is installed. Raises MessageError.
    """
    encoding = message.encoding
    _check_size(message.width, message.height, max_megapixels)
    if encoding in _MONO16:
        rows = _rows(message, 2).view(">u2" if message.is_bigendian else "<u2")[..., 0]
        return np.asarray(cv2.cvtColor((rows >> 8).astype(np.uint8), cv2.COLOR_GRAY2RGB))
    if encoding not in _CHANNELS:
        return _by_cv_bridge(message)
    return _to_rgb(_rows(message, _CHANNELS[encoding]), encoding)


def rgb_from_compressed(message: CompressedImage, max_megapixels: float = 1000.0) -> np.ndarray:
    """sensor_msgs/CompressedImage (JPEG, PNG, anything OpenCV reads) -> (H, W, 3) uint8 RGB. Raises MessageError."""
    data = np.frombuffer(message.data, np.uint8)
    if data.size == 0:
        raise MessageError("compressed image without data")
    what = f"compressed image ({message.format[:_SHOWN]!r}, {data.size} bytes)"
    if data[:2].tobytes() == _JPEG_START and _JPEG_END not in data[-_JPEG_TAIL:].tobytes():
        raise MessageError(f"{what} is a JPEG without its end")
    size = compressed_size(data)
    if size is not None:
        _check_size(*size, max_megapixels)
    try:
        image = cv2.imdecode(data, _DECODE)
    except cv2.error as error:
        raise MessageError(f"{what} cannot be decoded: {error.err}") from error
    if image is None:
        raise MessageError(f"{what} cannot be decoded")
    _check_size(image.shape[1], image.shape[0], max_megapixels)
    source = message.format.split(";")[0].strip()
    if image.ndim == 2:
        return _to_rgb(image[..., None], source if source.startswith("bayer_") and source in _CHANNELS else "mono8")
    # image_transport writes the order of the channels in the compressed picture into `format`; bgr8 is the usual one.
    return image if "compressed rgb8" in message.format else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def depth_from(message: Image | DisparityImage) -> np.ndarray:
    """A depth image (16UC1 or mono16 [mm], 32FC1 [m]) or a disparity image -> (H, W) float32 depth [m], 0 = unknown. Raises MessageError."""
    if isinstance(message, DisparityImage):
        if message.f <= 0 or message.t <= 0:
            raise MessageError(f"disparity image with f = {message.f:g} and t = {message.t:g}: expected focal length and baseline above 0")
        disparity = _floats(message.image, "disparity")
        return depth_from_disparity(disparity, message.f, message.t, message.min_disparity)
    if message.encoding in _MONO16:
        return _rows(message, 2).view(">u2" if message.is_bigendian else "<u2")[..., 0].astype(np.float32) * np.float32(_MILLIMETRE_M)
    return np.nan_to_num(_floats(message, "depth"), nan=0.0, posinf=0.0, neginf=0.0)


def compressed_size(data: np.ndarray) -> tuple[int, int] | None:
    """(width, height) that the head of a PNG or JPEG names, before anything is decoded; None where it names none."""
    head = data[:_HEAD].tobytes()
    if head.startswith(_PNG_START) and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if not head.startswith(_JPEG_START):
        return None
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        length, height, width = struct.unpack(">HxHH", head[at + 2:at + 9])
        if head[at + 1] in _JPEG_FRAMES:
            return width, height
        at += 2 + length
    return None


def _check_size(width: int, height: int, max_megapixels: float) -> None:
    if height == 0 or width == 0:
        raise MessageError(f"image of {width}x{height} pixels: expected at least one row and one column")
    if width * height > max_megapixels * MEGA:
        raise MessageError(f"image of {width}x{height} pixels: expected at most {max_megapixels:g} megapixels; max_megapixels raises that")


def _rows(message: Image, size: int) -> np.ndarray:
    """(H, W, size) uint8: the bytes of each pixel."""
    height, width = message.height, message.width
    row = width * size
    if message.step < row:
        raise MessageError(f"image step is {message.step} bytes, but a row of {width} {message.encoding} pixels has {row}")
    data = np.frombuffer(message.data, np.uint8)
    if data.size < message.step * height:
        raise MessageError(f"image data has {data.size} bytes, but {height} rows of {message.step} bytes need {message.step * height}")
    pixels = data[: message.step * height].reshape(height, message.step)[:, :row]
    return (pixels if row == message.step or size not in (2, 4) else np.ascontiguousarray(pixels)).reshape(height, width, size)


def _floats(message: Image, what: str) -> np.ndarray:
    if message.encoding != "32FC1":
        raise MessageError(f"{what} image encoding is {message.encoding[:_SHOWN]!r}, expected 32FC1" + (" or 16UC1" if what == "depth" else ""))
    _check_size(message.width, message.height, MEGA)
    return _rows(message, 4).view(">f4" if message.is_bigendian else "<f4")[..., 0].astype(np.float32)


def _by_cv_bridge(message: Image) -> np.ndarray:
    bridge = _cv_bridge()
    if bridge is None:
        raise MessageError(f"image encoding {message.encoding[:_SHOWN]!r} is not supported; expected one of {', '.join((*_CHANNELS, *_MONO16))}, "
                           "or install cv_bridge for others")
    try:
        image = np.asarray(bridge.CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except Exception as error:  # cv_bridge's own error, cv2.error, or a KeyError for an encoding that it does not know
        raise MessageError(f"image encoding {message.encoding[:_SHOWN]!r} cannot be converted by cv_bridge: {error}") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise MessageError(f"image encoding {message.encoding[:_SHOWN]!r} gives {image.dtype} {image.shape} by cv_bridge, expected (H, W, 3) uint8")
    return image


def _cv_bridge() -> Any:
    try:
        import cv_bridge
    except (ImportError, AttributeError):  # AttributeError: built for another numpy
        return None
    return cv_bridge if hasattr(cv_bridge, "CvBridge") else None


def _to_rgb(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """(H, W, C) uint8 in `encoding` -> (H, W, 3) uint8 RGB."""
    if encoding == "rgb8":
        return pixels
    height, width = pixels.shape[:2]
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv") and width % 2:
        raise MessageError(f"{encoding} image of {width} columns: expected an even number, two pixels share their colour")
    if encoding.startswith("bayer_") and (height < 2 or width < 2 or height % 2 or width % 2):
        raise MessageError(f"{encoding} image of {width}x{height} pixels: expected even sides, the pattern is 2x2")
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), _TO_RGB[encoding]))
    except cv2.error as error:
        raise MessageError(f"{encoding} image of {width}x{height} pixels cannot be converted: {error.err}") from error
