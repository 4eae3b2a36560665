"""What a storage file of a bag holds: its topics and the place of every message; one record for MCAP and sqlite3."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_BLOCK_BYTES = 1 << 29  # of a chunk or a message, unpacked: more is a bomb or a damaged length
ZSTD_START = b"\x28\xb5\x2f\xfd"


class Place(NamedTuple):
    """Where a message lies: what the two numbers are is known to the reader of the file."""

    block: int
    offset: int


@dataclass(frozen=True, eq=False)
class StoredTopic:
    """The messages of one topic in the order of recording."""

    name: str
    type: str  # package/msg/Name; of another encoding than CDR: with its name behind it
    log_ns: np.ndarray  # (N,) int64, ascending
    places: np.ndarray  # (N, 2) int64, rows are a Place


@dataclass(frozen=True, eq=False)
class StoredFile:
    """One storage file. `read` gives the bytes at a place."""

    path: Path
    topics: tuple[StoredTopic, ...]
    read: Callable[[Place], bytes]


@dataclass(frozen=True, eq=False)
class TopicIndex:
    """Times of all messages of one topic, in the order of reading."""

    stamp_ns: np.ndarray  # (N,) int64, header stamp
    log_ns: np.ndarray  # (N,) int64, when the message was recorded


def stored_topic(name: str, message_type: str, rows: np.ndarray) -> StoredTopic:
    """rows: (N, 3) int64, log time and place, in any order: messages of one time stay in the order of the file."""
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    return StoredTopic(name, message_type, rows[:, 0].copy(), rows[:, 1:].copy())


def plain_type(name: str, encoding: str) -> str:
    """One spelling of a message type, as several writers put it; one that is not in CDR equals none that is read."""
    parts = [part for part in re.split(r"::|/", name) if part not in ("msg", "dds_")]
    plain = f"{parts[0]}/msg/{parts[1].removesuffix('_')}" if len(parts) == 2 else name
    return plain if encoding in ("cdr", "") else f"{plain} ({encoding})"


def unpack_zstd(data: bytes, limit: int = MAX_BLOCK_BYTES) -> bytes:
    """At most `limit` bytes: a bomb is refused before it fills the memory. Raises ValueError, on damaged data too."""
    unpacker = zstd.ZstdDecompressor()
    try:
        unpacked = unpacker.decompress(data, max_length=limit)
        if not unpacker.eof and unpacker.decompress(b"", max_length=1):
            raise ValueError(f"more than {limit} bytes in a packed block")
    except (zstd.ZstdError, EOFError) as error:
        raise ValueError(f"damaged zstd data: {error}") from error
    return bytes(unpacked)
