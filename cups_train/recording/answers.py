"""What the node has published on /cups/panoptic, read back from a bag."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from cups_ros.types import Classes, Panoptic, PseudoClass, Segment
from cups_train.errors import RecordingError

PANOPTIC, LABEL_INFO = "cups_ros/msg/PanopticImage", "cups_ros/msg/LabelInfo"
SEGMENT = "cups_ros/msg/SegmentInfo"


@dataclass(frozen=True, eq=False)
class NodeAnswer:
    """One PanopticImage message."""

    stamp_ns: int
    frame_id: str
    received_ns: int  # when the bag received it
    panoptic: Panoptic


def read_answers(bag: Path, definitions: Path) -> Iterator[NodeAnswer]:
    """Every PanopticImage of a bag, in order. `definitions` is the folder with our .msg files. Raises RecordingError."""
    for connection, received, message in _messages(bag, definitions, PANOPTIC):
        yield NodeAnswer(_stamp_ns(message.header), message.header.frame_id, received, _panoptic(message, connection))


def read_label_info(bag: Path, definitions: Path) -> Classes:
    """The classes of the first LabelInfo of a bag. Raises RecordingError where there is none."""
    for _, _, m in _messages(bag, definitions, LABEL_INFO):
        colors = np.asarray(m.color).reshape(-1, 3).tolist()
        rows = zip(m.id, m.name, m.is_thing, colors, strict=True)
        return Classes(tuple(PseudoClass(int(i), str(n), bool(t), (c[0], c[1], c[2])) for i, n, t, c in rows))
    raise RecordingError(f"expected a {LABEL_INFO} message in {bag}, found none; record /cups/label_info too")


def _messages(bag: Path, definitions: Path, kind: str) -> Iterator[tuple[str, int, Any]]:
    store = get_typestore(Stores.ROS2_JAZZY)
    for name in (SEGMENT, LABEL_INFO, PANOPTIC):
        store.register(get_types_from_msg((definitions / f"{name.rsplit('/', 1)[1]}.msg").read_text(), name))
    try:
        with AnyReader([bag], default_typestore=store) as reader:
            connections = [c for c in reader.connections if c.msgtype == kind]
            for connection, received, raw in reader.messages(connections) if connections else ():
                yield connection.topic, received, store.deserialize_cdr(raw, kind)
    except AnyReaderError as error:
        raise RecordingError(f"expected a bag with {kind} in {bag}, found {error}; record /cups/panoptic with `ros2 bag record`") from error


def _panoptic(message: Any, topic: str) -> Panoptic:
    kinds, instances = _image(message.class_map, np.uint8, topic), _image(message.instance_map, np.uint16, topic)
    segments = tuple(Segment(int(s.class_id), int(s.instance_id), bool(s.is_thing), float(s.score), int(s.area),
                             (int(s.bbox[0]), int(s.bbox[1]), int(s.bbox[2]), int(s.bbox[3])), int(s.track_id)) for s in message.segments)
    return Panoptic(kinds, instances, segments)


def _image(image: Any, dtype: type[np.generic], topic: str) -> np.ndarray:
    item = np.dtype(dtype).newbyteorder(">" if image.is_bigendian else "<")
    try:
        rows = np.asarray(image.data, np.uint8).reshape(image.height, image.step)
        return np.ascontiguousarray(rows[:, : image.width * item.itemsize]).view(item).astype(dtype)
    except ValueError as error:
        raise RecordingError(f"expected whole maps on {topic}, found {image.width} x {image.height} with step {image.step}: {error}") from error


def _stamp_ns(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
