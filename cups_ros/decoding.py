"""What image messages hold -> pixels: the one decoder, for the vehicle and for training. No ROS, no torch.

Messages of rclpy and of rosbags have the same fields and are taken alike. A malformed message raises a MessageError,
nothing else.
"""

from __future__ import annotations

import logging
import struct
from functools import lru_cache
from typing import Any, Protocol

import cv2
import numpy as np

from cups_ros.encodings import CHANNELS, ENCODINGS, PLANES, SHARED_COLOUR, TO_RGB, WORDS, plain_encoding
from cups_ros.types import Panoptic, Segment

logger = logging.getLogger(__name__)
BITS = (10, 12, 14, 16)  # that cameras put into words of 16

FEWEST_OF_MOSAIC = 3  # rows and columns: OpenCV leaves the border out of its filter, and fills it from what is within
AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
JPEG_START, JPEG_END, PNG_START = b"\xff\xd8", b"\xff\xd9", b"\x89PNG\r\n\x1a\n"
JPEG_TAIL = 1024  # bytes in which the end marker lies; some drivers pad
HEAD = 1 << 18  # bytes in which the size stands, after what a camera wrote about itself
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers that a frame's size follows
MAX_MEGAPIXELS = 1000.0
MEGA = 1e6
SHOWN = 40  # characters of a name in a sentence


class MessageError(ValueError):
    """A message that cannot be used: one sentence with what was expected and what was found."""


class RawImage(Protocol):
    """The fields of sensor_msgs/Image."""

    encoding: str
    height: int
    width: int
    step: int  # bytes of a row; 0: as many as its pixels have
    is_bigendian: int
    data: Any  # bytes, array.array or (N,) uint8


class CompressedImage(Protocol):
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: Any  # bytes, array.array or (N,) uint8


def rgb_from_raw(message: RawImage, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """A raw image in one of ENCODINGS -> (H, W, 3) uint8 RGB; a view of the message's data where it is rgb8; of
    words of 16 bits the upper 8 of those in use.

    Rows may be padded (`step`). Raises MessageError.
    """
    encoding = plain_encoding(message.encoding)
    check_size((message.height, message.width), max_megapixels)
    if encoding in WORDS:
        narrow = WORDS[encoding]
        return _to_rgb(_bytes_of_words(message, CHANNELS[narrow]), narrow)
    if encoding in PLANES:
        return _rgb_of_planes(message, encoding)
    if encoding not in CHANNELS:
        raise MessageError(
            f"image encoding {encoding[:SHOWN]!r} is not supported; expected one of {', '.join(ENCODINGS)}"
        )
    return _to_rgb(_pixels(message, CHANNELS[encoding]), encoding)


def rgb_from_compressed(message: CompressedImage, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """A compressed image (JPEG, PNG, anything OpenCV reads) -> (H, W, 3) uint8 RGB; grey becomes three equal channels.
    Raises MessageError.

    The file itself says what its colours are. Of `format` only a Bayer pattern counts, for a mosaic that was compressed
    as grey.
    """
    data = np.frombuffer(message.data, np.uint8)
    if data.size == 0:
        raise MessageError("compressed image without data")
    what = f"compressed image ({message.format[:SHOWN]!r}, {data.size} bytes)"
    if data[:2].tobytes() == JPEG_START and not _has_end(data):
        raise MessageError(f"{what} is a JPEG without its end")
    size = compressed_size(data)
    if size is not None:
        check_size(size, max_megapixels)
    try:
        image = cv2.imdecode(data, AS_STORED)
    except cv2.error as error:
        raise MessageError(f"{what} cannot be decoded: {error.err}") from error
    if image is None:
        raise MessageError(f"{what} cannot be decoded")
    check_size(image.shape[:2], max_megapixels)
    if image.ndim == 3:
        return _to_rgb(image, "bgr8")
    source = plain_encoding(message.format.split(";")[0].strip())
    return _to_rgb(image, source if source.startswith("bayer_") and source in CHANNELS else "mono8")


def millimetres_from(message: RawImage) -> np.ndarray:
    """A raw image in one of MONO16 -> (H, W) uint16. Raises MessageError."""
    return _words(message)


def floats_from(message: RawImage) -> np.ndarray:
    """A raw image in 32FC1 -> (H, W) float32. Raises MessageError."""
    return _pixels(message, 4).view(">f4" if message.is_bigendian else "<f4")[..., 0].astype(np.float32)


def panoptic_from(message: Any) -> Panoptic:
    """cups_ros/PanopticImage -> the panoptic map. Raises MessageError."""
    class_id, instance_id = (
        _map(message.class_map, "class_map", "mono8"),
        _map(message.instance_map, "instance_map", "mono16"),
    )
    if class_id.shape != instance_id.shape:
        raise MessageError(f"class_map is {class_id.shape}, but instance_map is {instance_id.shape}")
    return Panoptic(class_id, instance_id, tuple(_segment(row) for row in message.segments))


def compressed_size(data: np.ndarray) -> tuple[int, int] | None:
    """(height, width) that the head of a PNG or JPEG, (N,) uint8, names before anything is decoded; None where it names
    none."""
    head = data[:HEAD].tobytes()
    if head.startswith(PNG_START) and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return height, width
    if not head.startswith(JPEG_START):
        return None
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        length, height, width = struct.unpack(">HxHH", head[at + 2 : at + 9])
        if head[at + 1] in JPEG_FRAMES:
            return height, width
        at += 2 + length
    return None


def check_size(size: tuple[int, int], max_megapixels: float) -> None:
    """Raises MessageError where an image of `size` (height, width) has no pixel, or too many."""
    height, width = size
    if height == 0 or width == 0:
        raise MessageError(f"image of {width}x{height} pixels: expected at least one row and one column")
    if width * height > max_megapixels * MEGA:
        raise MessageError(
            f"image of {width}x{height} pixels: expected at most {max_megapixels:g} megapixels; "
            "max_megapixels raises that"
        )


def _has_end(jpeg: np.ndarray) -> bool:
    """Does a JPEG, (N,) uint8, end with its marker? Some drivers send their whole buffer, in which zeros follow the
    picture."""
    return JPEG_END in jpeg[-JPEG_TAIL:].tobytes() or JPEG_END in jpeg.tobytes().rstrip(b"\0")[-JPEG_TAIL:]


def _pixels(message: RawImage, size: int) -> np.ndarray:
    """(H, W, size) uint8: the bytes of each pixel, as a view. The last row needs no padding."""
    height, width = message.height, message.width
    row = width * size
    step = message.step or row
    if step < row:
        raise MessageError(f"image step is {step} bytes, but a row of {width} {message.encoding} pixels has {row}")
    data, needed = np.frombuffer(message.data, np.uint8), step * (height - 1) + row
    if data.size < needed:
        raise MessageError(f"image data has {data.size} bytes, but {height} rows of {step} bytes need {needed}")
    return np.lib.stride_tricks.as_strided(data, (height, width, size), (step, size, 1), writeable=False)


def _bytes_of_words(message: RawImage, channels: int) -> np.ndarray:
    """(H, W, C) uint8, or (H, W) of one channel: the upper 8 of the bits in use. Cameras of 10 and 12 bits leave the
    upper ones at 0."""
    words = _pixels(message, 2 * channels).view(">u2" if message.is_bigendian else "<u2")
    used = int(words.max()).bit_length()
    bits = next(bits for bits in BITS if used <= bits)
    if bits < BITS[-1]:
        _tell_bits(plain_encoding(message.encoding), bits)
    narrow = (words >> (bits - 8)).astype(np.uint8)
    return narrow[..., 0] if channels == 1 else narrow


@lru_cache(maxsize=64)
def _tell_bits(encoding: str, bits: int) -> None:
    logger.warning("images in %s use %d bits: they are scaled by these", encoding, bits)


def _rgb_of_planes(message: RawImage, encoding: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of H * 3 / 2 rows of W bytes."""
    height, width = message.height, message.width
    if height % 2 or width % 2 or message.step not in (0, width):
        raise MessageError(
            f"{encoding} image of {width}x{height} pixels, step {message.step}: expected even sides and rows without "
            "padding"
        )
    data, needed = np.frombuffer(message.data, np.uint8), height * width * 3 // 2
    if data.size < needed:
        raise MessageError(f"image data has {data.size} bytes, but {encoding} of {width}x{height} needs {needed}")
    planes = np.ascontiguousarray(data[:needed].reshape(height * 3 // 2, width))
    return np.asarray(cv2.cvtColor(planes, PLANES[encoding]))


def _words(message: RawImage) -> np.ndarray:
    """(H, W) uint16 in the byte order of the message."""
    return _pixels(message, 2).view(">u2" if message.is_bigendian else "<u2")[..., 0]


def _to_rgb(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """(H, W, C) uint8 in `encoding`, or (H, W) of one channel -> (H, W, 3) uint8 RGB."""
    if encoding == "rgb8":
        return pixels
    height, width = pixels.shape[:2]
    if encoding in SHARED_COLOUR and width % 2:
        raise MessageError(
            f"{encoding} image of {width} columns: expected an even number, two pixels share their colour"
        )
    if encoding.startswith("bayer_") and min(height, width) < FEWEST_OF_MOSAIC:
        raise MessageError(
            f"{encoding} image of {width}x{height} pixels: expected at least {FEWEST_OF_MOSAIC} rows and columns, "
            "the pattern is 2x2"
        )
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), TO_RGB[encoding]))
    except cv2.error as error:
        raise MessageError(f"{encoding} image of {width}x{height} pixels cannot be converted: {error.err}") from error


def _map(image: RawImage, name: str, encoding: str) -> np.ndarray:
    """(H, W) uint8 of mono8, uint16 of mono16, in the byte order of this machine."""
    dtype = np.dtype("u1" if encoding == "mono8" else "u2").newbyteorder(">" if image.is_bigendian else "<")
    row = image.width * dtype.itemsize
    if image.encoding != encoding or image.step < row or len(image.data) < image.step * image.height:
        raise MessageError(
            f"{name} is not a whole {encoding} image: {image.encoding!r}, {image.width}x{image.height}, "
            f"step {image.step}, {len(image.data)} bytes"
        )
    rows = np.frombuffer(image.data, np.uint8)[: image.step * image.height].reshape(image.height, image.step)
    return np.ascontiguousarray(rows[:, :row]).view(dtype).astype(dtype.newbyteorder("="), copy=False)


def _segment(message: Any) -> Segment:
    x, y, width, height = (int(value) for value in message.bbox)
    return Segment(
        int(message.class_id),
        int(message.instance_id),
        bool(message.is_thing),
        float(message.score),
        int(message.area),
        (x, y, width, height),
        int(message.track_id),
    )
