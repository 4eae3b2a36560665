"""`ros2 bag record`: messages are written as they come from the transport."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ros2_stand_in.graph import open_node
from ros2_stand_in.packages import interface, package_prefix

LOOK_S = 0.2  # for new topics
DEPTH = 100


def record(topics: list[str], every: bool, output: Path, storage: str) -> int:
    """Record the topics, those that appear later included, until SIGINT or SIGTERM."""
    import rclpy

    if output.exists():
        print(f"output folder {output} already exists")
        return 1
    with open_node() as node, Writer(output, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        recorder = _Recorder(node, writer, None if every else set(topics))
        print(f"recording to {output}", flush=True)
        try:
            while True:
                recorder.look()
                end = time.monotonic() + LOOK_S
                while time.monotonic() < end:
                    rclpy.spin_once(node, timeout_sec=0.05)
        except KeyboardInterrupt:
            print(f"recorded {recorder.count} messages", flush=True)
    return 0


class _Recorder:
    """Subscribes to topics as they appear and writes their messages."""

    def __init__(self, node: Any, writer: Writer, wanted: set[str] | None) -> None:
        self._node, self._writer, self._wanted = node, writer, wanted
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._known: set[str] = set()
        self.count = 0

    def look(self) -> None:
        """Subscribe to wanted topics that have a publisher and are not subscribed to yet."""
        for name, types in self._node.get_topic_names_and_types():
            offers = self._node.get_publishers_info_by_topic(name)
            if name not in self._known and offers and (self._wanted is None or name in self._wanted):
                self._known.add(name)
                self._subscribe(name, types[0], offers[0].qos_profile)

    def _subscribe(self, name: str, kind: str, offered: Any) -> None:
        from rclpy.qos import QoSProfile

        if kind not in self._types.fielddefs:
            self._types.register(definitions_of(kind.split("/")[0]))
        connection = self._writer.add_connection(name, kind, typestore=self._types)
        profile = QoSProfile(depth=DEPTH, reliability=offered.reliability, durability=offered.durability)

        def write(raw: bytes) -> None:
            self._writer.write(connection, time.time_ns(), raw)
            self.count += 1

        self._node.create_subscription(interface(kind), name, write, profile, raw=True)
        print(f"subscribed to {name}", flush=True)


def definitions_of(package: str) -> dict[str, Any]:
    """The message definitions that a package installed."""
    types: dict[str, Any] = {}
    for path in sorted(Path(package_prefix(package), "share", package, "msg").glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"{package}/msg/{path.stem}"))
    return types
