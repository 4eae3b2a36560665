"""ROS messages <-> arrays, without copies where the layout allows it. A malformed message raises a MessageError, nothing else."""
from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cups_ros.msg import LabelInfo, PanopticImage, SegmentInfo
from cups_ros.types import Classes, Panoptic, Segment

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "yuv422": 2, "yuv422_yuy2": 2,
             "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1}
# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_TO_RGB = {"bgr8": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB, "mono8": cv2.COLOR_GRAY2RGB,
           "yuv422": cv2.COLOR_YUV2RGB_UYVY, "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
           "bayer_rggb8": cv2.COLOR_BayerBG2RGB, "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
           "bayer_gbrg8": cv2.COLOR_BayerGR2RGB, "bayer_grbg8": cv2.COLOR_BayerGB2RGB}
_DECODE = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION


class MessageError(ValueError):
    """A message that cannot be used: one sentence with what was expected and what was found."""


def rgb_from(message: Image | CompressedImage) -> np.ndarray:
    """An image message of either type -> (H, W, 3) uint8 RGB. Raises MessageError."""
    return rgb_from_image(message) if isinstance(message, Image) else rgb_from_compressed(message)


def rgb_from_image(message: Image) -> np.ndarray:
    """sensor_msgs/Image -> (H, W, 3) uint8 RGB; a view of the message's data where it is rgb8.

    Rows may be padded (`step`). All supported encodings have one byte a channel, so `is_bigendian` changes nothing.
    Raises MessageError.
    """
    encoding, height, width = message.encoding, message.height, message.width
    if encoding not in _CHANNELS:
        raise MessageError(f"image encoding {encoding!r} is not supported; expected one of {', '.join(_CHANNELS)}")
    if height == 0 or width == 0:
        raise MessageError(f"image of {width}x{height} pixels: expected at least one row and one column")
    row = width * _CHANNELS[encoding]
    if message.step < row:
        raise MessageError(f"image step is {message.step} bytes, but a row of {width} {encoding} pixels has {row}")
    data = np.frombuffer(message.data, np.uint8)
    if data.size < message.step * height:
        raise MessageError(f"image data has {data.size} bytes, but {height} rows of {message.step} bytes need {message.step * height}")
    pixels = data[: message.step * height].reshape(height, message.step)[:, :row].reshape(height, width, -1)
    return _to_rgb(pixels, encoding)


def rgb_from_compressed(message: CompressedImage) -> np.ndarray:
    """sensor_msgs/CompressedImage (JPEG, PNG, anything OpenCV reads) -> (H, W, 3) uint8 RGB. Raises MessageError."""
    data = np.frombuffer(message.data, np.uint8)
    if data.size == 0:
        raise MessageError("compressed image without data")
    try:
        image = cv2.imdecode(data, _DECODE)
    except cv2.error as error:
        raise MessageError(f"compressed image ({message.format!r}, {data.size} bytes) cannot be decoded: {error.err}") from error
    if image is None:
        raise MessageError(f"compressed image ({message.format!r}, {data.size} bytes) cannot be decoded")
    source = message.format.split(";")[0].strip()
    if image.ndim == 2:
        return _to_rgb(image[..., None], source if source.startswith("bayer_") and source in _CHANNELS else "mono8")
    # image_transport writes the order of the channels in the compressed picture into `format`; bgr8 is the usual one.
    return image if "compressed rgb8" in message.format else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def panoptic_message(panoptic: Panoptic, header: Header) -> PanopticImage:
    """A panoptic map -> cups_ros/PanopticImage with the header of the image that it answers."""
    return PanopticImage(
        header=header,
        class_map=image_message(panoptic.class_id, "mono8", header),
        instance_map=image_message(panoptic.instance_id, "mono16", header),
        segments=[_segment_message(segment) for segment in panoptic.segments],
    )


def panoptic_from_message(message: PanopticImage) -> Panoptic:
    """cups_ros/PanopticImage -> the panoptic map; the opposite of `panoptic_message`. Raises MessageError."""
    maps = []
    for name, image, encoding, kind in (("class_map", message.class_map, "mono8", "u1"), ("instance_map", message.instance_map, "mono16", "u2")):
        dtype = np.dtype(kind).newbyteorder(">" if image.is_bigendian else "<")
        row = image.width * dtype.itemsize
        if image.encoding != encoding or image.step < row or len(image.data) < image.step * image.height:
            raise MessageError(f"{name} is not a whole {encoding} image: {image.encoding!r}, {image.width}x{image.height}, "
                               f"step {image.step}, {len(image.data)} bytes")
        rows = np.frombuffer(image.data, np.uint8)[: image.step * image.height].reshape(image.height, image.step)
        maps.append(np.ascontiguousarray(rows[:, :row]).view(dtype).astype(dtype.newbyteorder("="), copy=False))
    if maps[0].shape != maps[1].shape:
        raise MessageError(f"class_map is {maps[0].shape}, but instance_map is {maps[1].shape}")
    return Panoptic(maps[0], maps[1], tuple(_segment(row) for row in message.segments))


def label_info_message(classes: Classes, model: str, header: Header) -> LabelInfo:
    """The classes of a model -> cups_ros/LabelInfo."""
    return LabelInfo(
        header=header,
        model=model,
        id=array.array("H", [c.id for c in classes]),
        name=[c.name for c in classes],
        is_thing=[bool(c.isthing) for c in classes],
        color=array.array("B", [channel for c in classes for channel in c.color]),
    )


def image_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """(H, W) or (H, W, C), uint8 or uint16 -> sensor_msgs/Image of that encoding in the byte order of this machine."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    data = array.array("B")  # the only container that rclpy takes without looking at every byte
    data.frombytes(pixels.data.cast("B") if pixels.size else b"")
    return Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=int(sys.byteorder == "big"),
                 step=pixels.nbytes // height if height else 0, data=data)


def _to_rgb(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """(H, W, C) uint8 in `encoding` -> (H, W, 3) uint8 RGB."""
    if encoding == "rgb8":
        return pixels
    height, width = pixels.shape[:2]
    if encoding.startswith("yuv422") and width % 2:
        raise MessageError(f"{encoding} image of {width} columns: expected an even number, two pixels share their colour")
    if encoding.startswith("bayer_") and (height < 2 or width < 2 or height % 2 or width % 2):
        raise MessageError(f"{encoding} image of {width}x{height} pixels: expected even sides, the pattern is 2x2")
    try:
        return cv2.cvtColor(np.ascontiguousarray(pixels), _TO_RGB[encoding])
    except cv2.error as error:
        raise MessageError(f"{encoding} image of {width}x{height} pixels cannot be converted: {error.err}") from error


def _segment(message: SegmentInfo) -> Segment:
    x, y, width, height = (int(value) for value in message.bbox)
    return Segment(message.class_id, message.instance_id, message.is_thing, message.score, message.area, (x, y, width, height), message.track_id)


def _segment_message(segment: Segment) -> SegmentInfo:
    return SegmentInfo(
        class_id=segment.class_id,
        instance_id=segment.instance_id,
        is_thing=segment.is_thing,
        score=segment.score,
        area=segment.area,
        bbox=np.array(segment.bbox, np.uint32),
        track_id=segment.track_id,
    )
