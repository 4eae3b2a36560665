"""Stamps of ROS messages in nanoseconds: no ROS, any message with a header will do."""

from __future__ import annotations

from typing import Any

SECOND_NS = 1_000_000_000


def nanoseconds(sec: int, nanosec: int) -> int:
    """The two fields of builtin_interfaces/Time -> [ns]."""
    return int(sec) * SECOND_NS + int(nanosec)


def stamp_ns(header: Any) -> int:
    """The stamp of a std_msgs/Header [ns]."""
    return nanoseconds(header.stamp.sec, header.stamp.nanosec)


def sec_nanosec(stamp: int) -> tuple[int, int]:
    """[ns] -> the two fields of builtin_interfaces/Time."""
    return divmod(stamp, SECOND_NS)
