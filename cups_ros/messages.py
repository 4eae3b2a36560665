"""Panoptic maps, classes and pixels -> ROS messages."""

from __future__ import annotations

import array
import sys

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cups_ros.msg import LabelInfo, PanopticImage, SegmentInfo
from cups_ros.pixels import container
from cups_ros.types import Classes, Panoptic, Segment

# A message that does not check its fields copies every array that it is given (Jazzy); the ones of Humble check and
# know no such argument.
_AS_IT_IS = {"check_fields": True} if "_check_fields" in Image.__slots__ else {}


def panoptic_message(panoptic: Panoptic, header: Header) -> PanopticImage:
    """A panoptic map -> cups_ros/PanopticImage with the header of the image that it answers."""
    return PanopticImage(
        header=header,
        class_map=image_message(panoptic.class_id, "mono8", header),
        instance_map=image_message(panoptic.instance_id, "mono16", header),
        segments=[_segment_message(segment) for segment in panoptic.segments],
    )


def label_info_message(classes: Classes, model: str, header: Header) -> LabelInfo:
    """The classes of a model -> cups_ros/LabelInfo."""
    return LabelInfo(
        header=header,
        model=model,
        id=array.array("H", [c.id for c in classes]),
        name=[c.name for c in classes],
        is_thing=[bool(c.isthing) for c in classes],
        color=array.array("B", [channel for c in classes for channel in c.color]),
        unknown=classes.unknown,
    )


def image_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """(H, W) or (H, W, C), uint8 or uint16 -> sensor_msgs/Image of that encoding in the byte order of this machine.

    Pixels of `new_map` are taken as they are, others are copied.
    """
    height, width = pixels.shape[:2]
    data = container(pixels)
    if data is None:
        data = array.array("B")
        data.frombytes(np.ascontiguousarray(pixels).data.cast("B") if pixels.size else b"")
    message = Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=pixels.nbytes // height if height else 0,
        **_AS_IT_IS,
    )
    message.data = data  # the constructor would copy it
    return message


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
