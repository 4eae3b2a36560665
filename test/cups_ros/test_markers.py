"""Markers against values worked out by hand."""

from __future__ import annotations

import pytest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from cups_ros.depth import Located
from cups_ros.markers import markers_message
from cups_ros.types import Classes, PseudoClass, Segment

CLASSES = Classes((PseudoClass(1, "road", False, (255, 0, 51)), PseudoClass(2, "car", True, (0, 102, 255))))
CAR = Segment(2, 7, True, 0.75, 20, (10, 20, 4, 5), track_id=9)
ROAD = Segment(1, 0, False, 1.0, 100, (0, 0, 50, 20))


def test_a_box_and_a_text_for_each_place() -> None:
    header = Header(frame_id="left_optical")
    found = (
        Located(CAR, (1.0, 0.5, 12.0), (1.8, 1.5, 0.0), 20),
        Located(ROAD, (0.0, 1.5, 20.0), (8.0, 0.2, 30.0), 100),
    )
    first, box, text, ground, words = markers_message(found, CLASSES, header).markers
    assert first.action == Marker.DELETEALL and {m.header.frame_id for m in (first, box, text, ground, words)} == {
        "left_optical"
    }
    assert (box.ns, box.type, text.ns, ground.ns, words.ns) == (
        "things",
        Marker.CUBE,
        "things_text",
        "stuff",
        "stuff_text",
    )
    assert (box.pose.position.x, box.pose.position.y, box.pose.position.z, box.pose.orientation.w) == (
        1.0,
        0.5,
        12.0,
        1.0,
    )
    assert (box.scale.x, box.scale.y, box.scale.z) == (1.8, 1.5, 0.05)  # a box without depth would not be drawn
    assert (box.color.r, box.color.g, box.color.b) == pytest.approx(
        (0.0, 0.4, 1.0)
    ) and ground.color.r == pytest.approx(1.0)
    assert (text.text, words.text) == ("car #9 12.0 m", "road 20.0 m")
    assert text.pose.position.y == pytest.approx(0.5 - 0.75 - 0.5)  # above the box: y points down
    assert len({(m.ns, m.id) for m in (box, text, ground, words)}) == 4
