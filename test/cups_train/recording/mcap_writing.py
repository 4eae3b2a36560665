"""MCAP files as several writers make them, record by record: what the specification allows and rosbags never writes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lz4.frame

MAGIC = b"\x89MCAP0\r\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "lz4": lz4.frame.compress}


@dataclass(frozen=True)
class Habits:
    """How a writer writes."""

    profile: str = "ros2"
    chunked: bool = True
    described_in_chunk: bool = False
    indexed: bool = True  # a message index behind each chunk
    summary: tuple[str, ...] = ("schemas", "channels", "statistics")
    compression: str = ""
    encoding: str = "cdr"
    spelled: str = "sensor_msgs/msg/"
    reverse: bool = False
    claimed: int | None = None  # unpacked bytes of a chunk, where they are not told truly


def _record(opcode: int, body: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(body)) + body


def _text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


def _chunk(messages: list[tuple[int, int, bytes]], habits: Habits, start: bytes) -> bytes:
    inside, places = start, {}
    for number, log_ns, record in messages:
        places.setdefault(number, []).append((log_ns, len(inside)))
        inside += record
    times = [log_ns for _, log_ns, _ in messages]
    packed = PACKERS[habits.compression](inside)
    size = len(inside) if habits.claimed is None else habits.claimed
    head = struct.pack("<QQQI", min(times), max(times), size, 0) + _text(habits.compression)
    out = _record(0x06, head + struct.pack("<Q", len(packed)) + packed)
    if habits.indexed:
        for number, rows in places.items():
            body = b"".join(struct.pack("<QQ", *row) for row in rows)
            out += _record(0x07, struct.pack("<HI", number, len(body)) + body)
    return out


def write_mcap(path: Path, rows: list[Any], serialize: Callable[[Any, str], bytes], habits: Habits) -> Path:
    """rows: of the fixture `bags`; three messages a chunk."""
    topics = {row.topic: row.type for row in rows}
    numbers = {topic: number for number, topic in enumerate(topics, 1)}
    kinds = {kind: number for number, kind in enumerate(sorted(set(topics.values())), 1)}
    schemas = b"".join(
        _record(3, struct.pack("<H", n) + _text(kind.replace("sensor_msgs/msg/", habits.spelled)) + _text("ros2msg")
                + _text("")) for kind, n in kinds.items()
    )  # fmt: skip
    channels = b"".join(
        _record(4, struct.pack("<HH", n, kinds[topics[t]]) + _text(t) + _text(habits.encoding) + _text(""))
        for t, n in numbers.items()
    )
    messages = [
        (numbers[row.topic], row.log_ns, _record(5, struct.pack("<HIQQ", numbers[row.topic], 0, row.log_ns, row.log_ns)
                                                 + serialize(row.message, row.type)))
        for row in (reversed(rows) if habits.reverse else rows)
    ]  # fmt: skip
    out = MAGIC + _record(1, _text(habits.profile) + _text("a test"))
    inside = schemas + channels if habits.described_in_chunk else b""
    out += b"" if habits.described_in_chunk else schemas + channels
    if habits.chunked:
        for at in range(0, len(messages), 3):
            out += _chunk(messages[at : at + 3], habits, inside)
            inside = b""
    else:
        out += inside + b"".join(record for _, _, record in messages)
    out += _record(15, struct.pack("<I", 0))
    start = len(out)
    counts = b"".join(struct.pack("<HQ", n, sum(m[0] == n for m in messages)) for n in numbers.values())
    statistics = struct.pack("<QHIIIIQQ", len(messages), len(kinds), len(numbers), 0, 0, 0, 0, 0)
    parts = {"schemas": schemas, "channels": channels, "statistics": _record(
        11, statistics + struct.pack("<I", len(counts)) + counts)}  # fmt: skip
    out += b"".join(parts[name] for name in habits.summary)
    path.write_bytes(out + _record(2, struct.pack("<QQI", start if habits.summary else 0, 0, 0)) + MAGIC)
    return path
