"""What the node has published on /cups/panoptic, read back from a bag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from cups_ros.decoding import MessageError, panoptic_from
from cups_ros.stamps import stamp_ns
from cups_ros.types import Classes, Panoptic, PseudoClass
from cups_train.errors import RecordingError

PANOPTIC, LABEL_INFO = "cups_ros/msg/PanopticImage", "cups_ros/msg/LabelInfo"
SEGMENT = "cups_ros/msg/SegmentInfo"


@dataclass(frozen=True, eq=False)
class NodeAnswer:
    """One PanopticImage message."""

    stamp_ns: int
    frame_id: str
    panoptic: Panoptic


class _Recorded(NamedTuple):
    """One message of a bag."""

    topic: str
    message: Any


def read_answers(bag: Path, definitions: Path) -> Iterator[NodeAnswer]:
    """Every PanopticImage of a bag, in order. `definitions` is the folder with our .msg files. Raises
    RecordingError."""
    for topic, message in _messages(bag, definitions, PANOPTIC):
        yield NodeAnswer(stamp_ns(message.header), message.header.frame_id, _panoptic(message, topic))


def read_label_info(bag: Path, definitions: Path) -> Classes:
    """The classes of the first LabelInfo of a bag. Raises RecordingError where there is none."""
    for _, m in _messages(bag, definitions, LABEL_INFO):
        colors = np.asarray(m.color).reshape(-1, 3).tolist()
        rows = zip(m.id, m.name, m.is_thing, colors, strict=True)
        return Classes(
            tuple(
                PseudoClass(int(i), str(n), bool(t), (c[0], c[1], c[2]), unknown=i == m.unknown) for i, n, t, c in rows
            )
        )
    raise RecordingError(f"expected a {LABEL_INFO} message in {bag}, found none; record /cups/label_info too")


def _messages(bag: Path, definitions: Path, message_type: str) -> Iterator[_Recorded]:
    store = get_typestore(Stores.ROS2_JAZZY)
    for name in (SEGMENT, LABEL_INFO, PANOPTIC):
        store.register(
            get_types_from_msg((definitions / f"{name.rsplit('/', 1)[1]}.msg").read_text(encoding="utf-8"), name)
        )
    try:
        with AnyReader([bag], default_typestore=store) as reader:
            connections = [c for c in reader.connections if c.msgtype == message_type]
            for connection, _, raw in reader.messages(connections) if connections else ():
                yield _Recorded(connection.topic, store.deserialize_cdr(raw, message_type))
    except AnyReaderError as error:
        raise RecordingError(
            f"expected a bag with {message_type} in {bag}, found {error}; record /cups/panoptic with `ros2 bag record`"
        ) from error


def _panoptic(message: Any, topic: str) -> Panoptic:
    try:
        return panoptic_from(message)
    except MessageError as error:
        raise RecordingError(f"expected whole maps on {topic}, found a damaged message: {error}") from error
