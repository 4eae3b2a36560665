"""Random access to MCAP files without chunks (rosbag2 preset `fastwrite`): they have no index of their own."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

CHANNEL, MESSAGE, DATA_END = 0x04, 0x05, 0x0F  # opcodes, MCAP specification
MAGIC_SIZE = 8
RECORD = struct.Struct("<BQ")  # opcode, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
Offsets = dict[tuple[str, int], list[tuple[int, int]]]


def read_unchunked(path: Path, topic: str, log_ns: int) -> list[bytes]:
    """CDR bytes of the messages of a topic recorded at `log_ns`; empty where there are none outside chunks."""
    messages = []
    with path.open("rb") as file:
        for offset, size in _offsets(path, path.stat().st_mtime_ns).get((topic, log_ns), ()):
            file.seek(offset)
            messages.append(file.read(size))
    return messages


@lru_cache(maxsize=16)
def _offsets(path: Path, changed: int) -> Offsets:
    """(topic, log time [ns]) to (offset, size) of its messages; only the heads of the records are read."""
    channels: dict[int, str] = {}
    offsets: Offsets = {}
    with path.open("rb") as file:
        at = file.seek(MAGIC_SIZE)
        while len(head := file.read(RECORD.size)) == RECORD.size:
            opcode, length = RECORD.unpack(head)
            if opcode == DATA_END:
                break
            if opcode == CHANNEL:
                number, topic = _channel(file.read(length))
                channels[number] = topic
            elif opcode == MESSAGE:
                number, _, log_ns, _ = MESSAGE_HEAD.unpack(file.read(MESSAGE_HEAD.size))
                body = at + RECORD.size + MESSAGE_HEAD.size
                offsets.setdefault((channels[number], log_ns), []).append((body, length - MESSAGE_HEAD.size))
            at = file.seek(at + RECORD.size + length)
    return offsets


def _channel(record: bytes) -> tuple[int, str]:
    """(channel id, topic) of a channel record: uint16 id, uint16 schema, uint32 length, topic."""
    number, _, length = struct.unpack_from("<HHI", record)
    return number, record[8 : 8 + length].decode()
