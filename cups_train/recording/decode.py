"""Image messages to (H, W, 3) uint8 RGB: raw in the common encodings, compressed as JPEG or PNG."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cups_train.errors import RecordingError
from cups_train.recording.bag import COMPRESSED, deserialize, header_stamp

CHANNELS = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "8UC4": 4, "mono8": 1, "8UC1": 1,
            "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
            "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2}
TO_RGB = {"bgr8": cv2.COLOR_BGR2RGB, "8UC3": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB, "8UC4": cv2.COLOR_BGRA2RGB,
          "mono8": cv2.COLOR_GRAY2RGB, "8UC1": cv2.COLOR_GRAY2RGB,
          "bayer_rggb8": cv2.COLOR_BayerRGGB2RGB, "bayer_bggr8": cv2.COLOR_BayerBGGR2RGB,
          "bayer_gbrg8": cv2.COLOR_BayerGBRG2RGB, "bayer_grbg8": cv2.COLOR_BayerGRBG2RGB,
          "yuv422": cv2.COLOR_YUV2RGB_UYVY, "uyvy": cv2.COLOR_YUV2RGB_UYVY, "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2, "yuyv": cv2.COLOR_YUV2RGB_YUY2}
MONO16 = ("mono16", "16UC1")
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def decode_image(data: bytes, kind: str, topic: str) -> np.ndarray:
    """CDR bytes of an Image or CompressedImage to (H, W, 3) uint8 RGB. Raises RecordingError that names topic and stamp."""
    try:
        message = deserialize(data, kind)
        return decode_compressed(message) if kind == COMPRESSED else decode_raw(message)
    except (ValueError, cv2.error) as error:
        raise RecordingError(f"expected an image on {topic} at stamp {header_stamp(data)} ns, found one that cannot be decoded: {error}") from error


def image_encoding(data: bytes, kind: str) -> str:
    """The encoding of a raw image, the format of a compressed one, as the message names it."""
    message = deserialize(data, kind)
    return str(message.format if kind == COMPRESSED else message.encoding)


def decode_raw(message: Any) -> np.ndarray:
    """sensor_msgs/Image to (H, W, 3) uint8 RGB; `step` and `is_bigendian` are respected, mono16 keeps its high byte."""
    encoding, height, width = message.encoding, message.height, message.width
    if encoding in MONO16:
        rows = _rows(message, 2 * width).view(">u2" if message.is_bigendian else "<u2")
        return np.asarray(cv2.cvtColor((rows >> 8).astype(np.uint8), cv2.COLOR_GRAY2RGB))
    if encoding not in CHANNELS:
        raise ValueError(f"unknown encoding {encoding!r} (known: {', '.join(CHANNELS)}, {', '.join(MONO16)})")
    channels = CHANNELS[encoding]
    rows = _rows(message, channels * width)
    pixels = rows.reshape(height, width, channels) if channels > 1 else rows
    return pixels.copy() if encoding == "rgb8" else np.asarray(cv2.cvtColor(pixels, TO_RGB[encoding]))


def decode_compressed(message: Any) -> np.ndarray:
    """sensor_msgs/CompressedImage (JPEG, PNG) to (H, W, 3) uint8 RGB; grey becomes three equal channels."""
    data = np.asarray(message.data, np.uint8)
    if data[:2].tobytes() == JPEG_START and JPEG_END not in data[-1024:].tobytes():
        raise ValueError(f"JPEG of {data.size} bytes without its end")
    encoding = message.format.split(";")[0].strip()
    mosaic = encoding.startswith("bayer_") and encoding in TO_RGB
    flags = cv2.IMREAD_UNCHANGED if mosaic else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise ValueError(f"{data.size} bytes of format {message.format!r} are neither JPEG nor PNG")
    mosaic_left = mosaic and image.ndim == 2  # the mosaic itself was compressed as grey, else it was debayered before
    return np.asarray(cv2.cvtColor(image, TO_RGB[encoding] if mosaic_left else cv2.COLOR_BGR2RGB))


def _rows(message: Any, used: int) -> np.ndarray:
    """(height, used) uint8: the bytes of each row that hold pixels."""
    height, step = message.height, message.step or used
    data = np.asarray(message.data, np.uint8)
    if not height or not used or step < used or data.size < step * (height - 1) + used:
        raise ValueError(f"{message.width}x{height} {message.encoding} needs {used} bytes a row, found step {step} and {data.size} bytes")
    rows = np.lib.stride_tricks.as_strided(data, (height, used), (step, 1))
    return np.ascontiguousarray(rows)
