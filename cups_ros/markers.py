"""Segments as markers for rviz and Foxglove."""

from __future__ import annotations

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from cups_ros.depth import Located
from cups_ros.types import Classes

LIFETIME = Duration(sec=1)  # of a marker after which no newer one came
THINNEST_M = 0.05
TEXT_M = 0.5  # height of a letter
BOX_ALPHA = 0.35


def markers_message(found: tuple[Located, ...], classes: Classes, header: Header) -> MarkerArray:
    """A box and a text for each of them, in the camera's optical frame. Namespaces: things, stuff, things_text,
    stuff_text.

    The first marker deletes those of the image before. Texts give name, track and metres ahead.
    """
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for number, item in enumerate(found):
        named = classes.items[item.segment.class_id - 1]
        space = "things" if item.segment.is_thing else "stuff"
        red, green, blue = (channel / 255 for channel in named.color)
        box = _marker(header, space, number, item)
        box.type, box.color = Marker.CUBE, ColorRGBA(r=red, g=green, b=blue, a=BOX_ALPHA)
        x, y, z = (max(side, THINNEST_M) for side in item.extent)
        box.scale = Vector3(x=x, y=y, z=z)
        text = _marker(header, f"{space}_text", number, item)
        text.type, text.color, text.scale = (
            Marker.TEXT_VIEW_FACING,
            ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
            Vector3(z=TEXT_M),
        )
        text.pose.position.y -= y / 2 + TEXT_M  # y points down
        track = f" #{item.segment.track_id}" if item.segment.track_id else ""
        text.text = f"{named.name}{track} {item.position[2]:.1f} m"
        markers += [box, text]
    return MarkerArray(markers=markers)


def _marker(header: Header, space: str, number: int, item: Located) -> Marker:
    marker = Marker(header=header, ns=space, id=number, action=Marker.ADD, lifetime=LIFETIME)
    x, y, z = item.position
    marker.pose.position, marker.pose.orientation.w = Point(x=x, y=y, z=z), 1.0
    return marker
