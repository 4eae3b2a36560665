"""`ros2 bag info` and `ros2 bag play`, with rosbags as reader: messages go out as they lie in the file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, NamedTuple

from rosbags.rosbag2 import Reader, ReaderError

from ros2_stand_in.graph import open_node
from ros2_stand_in.packages import interface

READ_AHEAD = 32  # messages


class Playback(NamedTuple):
    """How to play."""

    rate: float
    delay_s: float
    loop: bool
    wait_s: float  # longest wait for a first subscriber
    topics: list[str] | None


def info(path: str) -> int:
    """Print duration, topics, types and counts."""
    try:
        with Reader(Path(path)) as reader:
            print(f"Duration: {reader.duration / 1e9:.3f}s\nMessages: {reader.message_count}")
            for connection in sorted(reader.connections, key=lambda c: c.topic):
                print(f"Topic: {connection.topic} | Type: {connection.msgtype} | Count: {connection.msgcount}")
    except (ReaderError, OSError) as error:
        print(f"cannot read {path}: {error}")
        return 1
    return 0


def play(path: str, playback: Playback) -> int:
    """Publish the messages of a recording with their distances in time."""
    try:
        with Reader(Path(path)) as reader, open_node() as node:
            _play(node, reader, playback)
    except (ReaderError, OSError) as error:
        print(f"cannot read {path}: {error}")
        return 1
    return 0


def _play(node: Any, reader: Reader, playback: Playback) -> None:
    publishers = _publishers(node, reader, playback.topics)
    connections = [c for c in reader.connections if c.id in publishers]
    if not connections:  # rosbags takes none for all
        there = ", ".join(sorted(reader.topics)) or "none"
        print(f"expected topics to play, found none of a known type by the names given (topics there: {there})")
        return
    end = time.monotonic() + playback.wait_s
    while time.monotonic() < end and not any(p.get_subscription_count() for p in publishers.values()):
        time.sleep(0.02)
    time.sleep(0.3 + playback.delay_s)  # the other side of a match is ready a little later
    sent = 0
    while True:
        wall, first = time.perf_counter(), None
        for connection, stamp, raw in _read_ahead(reader, connections):
            first = stamp if first is None else first
            time.sleep(max(0.0, (stamp - first) / 1e9 / playback.rate - (time.perf_counter() - wall)))
            publishers[connection.id].publish(bytes(raw))
            sent += 1
        if not playback.loop:
            break
    time.sleep(0.5)  # let the last reliable messages go out
    print(f"published {sent} messages")


def _publishers(node: Any, reader: Reader, topics: list[str] | None) -> dict[int, Any]:
    """By connection; topics of types that are not installed are left out with a warning, as `ros2 bag play` does."""
    publishers = {}
    for connection in reader.connections:
        if topics is not None and connection.topic not in topics:
            continue
        try:
            kind = interface(connection.msgtype)
        except (ImportError, AttributeError, ValueError, KeyError) as error:
            print(f"warning: {connection.topic} is left out, {connection.msgtype} is not installed: {error}")
            continue
        publishers[connection.id] = node.create_publisher(kind, connection.topic, 10)
    return publishers


class _Recorded(NamedTuple):
    """One message of a bag."""

    connection: Any
    stamp: int  # ns, when it was recorded
    data: bytes


def _read_ahead(reader: Reader, connections: list[Any]) -> Iterator[_Recorded]:
    """The messages of a recording, read in another thread so that a slow disk does not delay them."""
    queue: Queue[Any] = Queue(READ_AHEAD)
    ended = threading.Event()

    def put(item: Any) -> bool:
        while not ended.is_set():
            try:
                queue.put(item, timeout=0.2)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for message in reader.messages(connections):
                if not put(_Recorded(*message)):
                    return
            put(None)
        except Exception as error:  # passed to the thread that plays
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=0.5)
            except Empty:
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        ended.set()
        thread.join(2)
