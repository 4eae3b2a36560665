"""Messages that the node publishes, without a ROS graph, against values worked out by hand."""

from __future__ import annotations

import array
import json
from pathlib import Path

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from std_msgs.msg import Header

from cups_ros import messages
from cups_ros.decoding import MessageError, panoptic_from
from cups_ros.fusion import panoptic_from_maps
from cups_ros.messages import image_message
from cups_ros.msg import LabelInfo, PanopticImage
from cups_ros.pixels import new_map
from cups_ros.types import Classes, Panoptic, PseudoClass, Segment

ROOT = Path(__file__).parents[2]


def panoptic() -> Panoptic:
    class_id = np.array([[1, 1, 2], [0, 2, 2]], np.uint8)
    instance_id = np.array([[0, 0, 258], [0, 1, 1]], np.uint16)
    segments = (
        Segment(2, 258, True, 0.75, 1, (2, 0, 1, 1), 4_000_000_000),
        Segment(2, 1, True, 0.5, 2, (1, 1, 2, 1)),
        Segment(1, 0, False, 1.0, 2, (0, 0, 2, 1)),
    )
    return Panoptic(class_id, instance_id, segments)


def test_panoptic_message() -> None:
    header = Header(frame_id="left_optical")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    message = messages.panoptic_message(panoptic(), header)
    for part in (message, message.class_map, message.instance_map):
        assert (part.header.frame_id, part.header.stamp.sec, part.header.stamp.nanosec) == ("left_optical", 12, 34)
    assert (message.class_map.encoding, message.class_map.height, message.class_map.width, message.class_map.step) == (
        "mono8",
        2,
        3,
        3,
    )
    assert list(message.class_map.data) == [1, 1, 2, 0, 2, 2]
    assert (message.instance_map.encoding, message.instance_map.step, message.instance_map.is_bigendian) == (
        "mono16",
        6,
        0,
    )
    assert list(message.instance_map.data) == [0, 0, 0, 0, 2, 1, 0, 0, 1, 0, 1, 0]
    first, _, last = message.segments
    assert (first.class_id, first.instance_id, first.is_thing, first.score, first.area, first.track_id) == (
        2,
        258,
        True,
        0.75,
        1,
        4_000_000_000,
    )
    assert list(first.bbox) == [2, 0, 1, 1] and (last.class_id, last.instance_id, last.is_thing) == (1, 0, False)


def test_panoptic_message_and_back() -> None:
    there = panoptic()
    back = panoptic_from(messages.panoptic_message(there, Header()))
    assert (
        (back.class_id == there.class_id).all()
        and (back.instance_id == there.instance_id).all()
        and back.segments == there.segments
    )


def test_big_endian_instance_map_is_read() -> None:
    message = messages.panoptic_message(panoptic(), Header())
    swapped = np.frombuffer(message.instance_map.data, "<u2").astype(">u2")
    message.instance_map.data, message.instance_map.is_bigendian = array.array("B", swapped.tobytes()), 1
    assert (panoptic_from(message).instance_id == panoptic().instance_id).all()


def test_wrong_maps_are_refused() -> None:
    message = messages.panoptic_message(panoptic(), Header())
    message.instance_map.encoding = "mono8"
    with pytest.raises(MessageError, match="instance_map is not a whole mono16 image"):
        panoptic_from(message)


def test_label_info() -> None:
    classes = Classes((PseudoClass(1, "road", False, (128, 64, 128)), PseudoClass(2, "car", True, (0, 0, 142))))
    message = messages.label_info_message(classes, "street", Header(frame_id="x"))
    assert (message.model, list(message.id), message.name, message.is_thing) == (
        "street",
        [1, 2],
        ["road", "car"],
        [False, True],
    )
    assert list(message.color) == [128, 64, 128, 0, 0, 142] and message.unknown == 0


def test_unknown_objects_are_a_thing_without_an_instance() -> None:
    classes = Classes((PseudoClass(1, "road", False, (128, 64, 128)),)).with_unknown((9, 8, 7))
    info = messages.label_info_message(classes, "street", Header())
    assert (list(info.id), info.name, info.is_thing) == ([1, 2], ["road", "unknown object"], [False, True])
    assert info.unknown == 2
    answer = panoptic_from_maps(np.array([[1, 2]], np.uint8), np.zeros((1, 2), np.uint16), {}, classes)
    segments = messages.panoptic_message(answer, Header()).segments
    assert [(s.class_id, s.instance_id, s.is_thing) for s in segments] == [(1, 0, False), (2, 0, True)]
    found = panoptic_from(messages.panoptic_message(answer, Header()))
    assert found.segments == answer.segments


def test_filling_a_message_is_fast() -> None:
    """A list takes 100 ms here, the right container well under one."""
    import time

    pixels = np.zeros((640, 1280, 3), np.uint8)
    times = []
    for _ in range(5):
        start = time.thread_time()  # the processor's time: a loaded machine changes nothing
        messages.image_message(pixels, "rgb8", Header())
        times.append(time.thread_time() - start)
    assert min(times) < 0.05


@pytest.mark.parametrize("kind", [PanopticImage, LabelInfo])
def test_type_hash_equals_that_of_an_independent_program(kind: type) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for name in ("SegmentInfo", "PanopticImage", "LabelInfo"):
        types.update(get_types_from_msg((ROOT / "msg" / f"{name}.msg").read_text(), f"cups_ros/msg/{name}"))
    store.register(types)
    prefix = Path(__import__("os").environ.get("AMENT_PREFIX_PATH", __import__("sys").prefix).split(":")[0])
    described = json.loads((prefix / "share/cups_ros/msg" / f"{kind.__name__}.json").read_text())
    hashes = {row["type_name"]: row["hash_string"] for row in described["type_hashes"]}
    assert hashes[f"cups_ros/msg/{kind.__name__}"] == store.hash_rihs01(f"cups_ros/msg/{kind.__name__}")


def test_maps_go_into_a_message_without_a_copy_and_others_with_one() -> None:
    map_ = new_map((2, 3), np.uint16)
    map_[:] = [[1, 2, 3], [4, 5, 600]]
    message, copied = image_message(map_, "mono16", Header()), image_message(map_.copy(), "mono16", Header())
    assert (
        message == copied
        and message.data.tobytes() == map_.tobytes()
        and (message.step, message.height, message.width) == (6, 2, 3)
    )
    map_[0, 0] = 9
    assert np.frombuffer(message.data, np.uint16)[0] == 9 and np.frombuffer(copied.data, np.uint16)[0] == 1
    assert (
        image_message(map_[:, ::2], "mono16", Header()).data.tobytes()
        == np.array([[9, 3], [4, 600]], np.uint16).tobytes()
    )
