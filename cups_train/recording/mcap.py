"""Places of the messages of an MCAP file, by one pass over its data section: nothing of the summary is needed.

Chunks are unpacked only where their message index is missing, or where a channel is described in no other place.
"""

from __future__ import annotations

import struct
from array import array
from binascii import crc32
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import lz4.frame
import numpy as np

from cups_train.errors import RecordingError
from cups_train.recording.stored import MAX_BLOCK_BYTES, Place, StoredFile, plain_type, stored_topic, unpack_zstd

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, STATISTICS, DATA_END = 2, 3, 4, 5, 6, 7, 11, 15  # opcodes
FOOTER_SIZE = 37  # bytes from the footer's opcode to the end of the file
RECORD = struct.Struct("<BQ")  # opcode, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
CHUNK_HEAD = struct.Struct("<QQQI")  # first and last log time, unpacked size, checksum
OUTSIDE = -1  # the block of messages that are in no chunk
MAX_DESCRIPTION = 1 << 26  # bytes of a record that is read whole
CHUNKS_HELD = 4


class _Channel(NamedTuple):
    """What a channel record tells."""

    schema: int
    topic: str
    encoding: str


class _Record(NamedTuple):
    """The head of a record."""

    opcode: int
    body: int  # offset
    size: int


@dataclass
class _Found:
    """What the pass has met so far."""

    schemas: dict[int, str] = field(default_factory=dict)  # names
    channels: dict[int, _Channel] = field(default_factory=dict)
    rows: dict[int, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))  # time, block, offset
    chunks: dict[int, set[int]] = field(default_factory=dict)  # offset of each chunk to the channels of its index
    counts: dict[int, int] = field(default_factory=dict)  # of the statistics


def open_mcap(path: Path) -> StoredFile:
    """Raises RecordingError where a length cannot be right."""
    with path.open("rb") as file:
        found = _scan(file, path)
        _complete(file, path, found)
    topics: dict[tuple[str, str], list[array[int]]] = {}
    for number, channel in found.channels.items():
        kind = plain_type(found.schemas.get(channel.schema, ""), channel.encoding)
        topics.setdefault((channel.topic, kind), []).append(found.rows.get(number, array("q")))
    return StoredFile(
        path,
        tuple(
            stored_topic(name, kind, np.concatenate([np.array(part, np.int64).reshape(-1, 3) for part in parts]))
            for (name, kind), parts in topics.items()
        ),
        partial(_read, path, path.stat().st_mtime_ns),
    )


def _scan(file: BinaryIO, path: Path) -> _Found:
    found, end = _Found(), path.stat().st_size - FOOTER_SIZE
    chunk = OUTSIDE
    for record in _records(file, len(MAGIC), end, path):
        if record.opcode == CHUNK:
            chunk = record.body
            found.chunks[chunk] = set()
        elif record.opcode == MESSAGE_INDEX:
            number, size = struct.unpack("<HI", file.read(6))
            pairs = np.frombuffer(_whole(file, min(size, record.size - 6), path), "<u8").reshape(-1, 2)
            _add(found, number, chunk, pairs.astype(np.int64))
            found.chunks.get(chunk, set()).add(number)
        elif record.opcode == MESSAGE:
            number, _, log_ns, _ = MESSAGE_HEAD.unpack(_whole(file, MESSAGE_HEAD.size, path))
            found.rows[number].extend((_time(log_ns), OUTSIDE, record.body - RECORD.size))
        else:
            _describe(file, path, record, found)
    return found


def _complete(file: BinaryIO, path: Path, found: _Found) -> None:
    """Unpack the chunks without an index, and all of them where the indices name unknown channels or tell of fewer
    messages than the statistics."""
    known = {number for number in found.rows if number in found.channels}
    fewer = any(len(found.rows.get(number, ())) // 3 < count for number, count in found.counts.items())
    everything = fewer or known != set(found.rows)
    for chunk, indexed in found.chunks.items():
        if indexed and not everything:
            continue
        data = _chunk_of(file, chunk, path)
        rows: dict[int, list[tuple[int, int]]] = {}
        inside = BytesIO(data)
        for record in _records(inside, 0, len(data), path):
            if record.opcode == MESSAGE:
                number, _, log_ns, _ = MESSAGE_HEAD.unpack(_whole(inside, MESSAGE_HEAD.size, path))
                rows.setdefault(number, []).append((_time(log_ns), record.body - RECORD.size))
            else:
                _describe(inside, path, record, found)
        for number in rows.keys() - indexed:
            _add(found, number, chunk, np.array(rows[number], np.int64))
    for number in found.rows.keys() - found.channels.keys():
        raise RecordingError(f"expected a description of channel {number} in {path}, found none; copy it again")


def _add(found: _Found, number: int, chunk: int, pairs: np.ndarray) -> None:
    """pairs: (N, 2) int64, log time and offset within the chunk."""
    rows = np.insert(pairs, 1, chunk, axis=1)
    found.rows[number].frombytes(np.ascontiguousarray(rows).tobytes())


def _describe(file: BinaryIO, path: Path, record: _Record, found: _Found) -> None:
    """Take in a record that describes; leave others alone. The first of a number counts."""
    if record.opcode not in (SCHEMA, CHANNEL, STATISTICS):
        return
    body = _whole(file, record.size, path)
    if record.opcode == STATISTICS:
        size = struct.unpack_from("<I", body, 42)[0] // 10
        found.counts.update(struct.unpack_from("<HQ", body, 46 + 10 * row) for row in range(min(size, len(body) // 10)))
    elif record.opcode == SCHEMA:
        (number,) = struct.unpack_from("<H", body)
        found.schemas.setdefault(number, _text(body, 2)[0])
    else:
        number, schema = struct.unpack_from("<HH", body)
        topic, after = _text(body, 4)
        found.channels.setdefault(number, _Channel(schema, topic, _text(body, after)[0]))


def _text(body: bytes, at: int) -> tuple[str, int]:
    """(text, offset behind it)."""
    end = at + 4 + struct.unpack_from("<I", body, at)[0]
    return body[at + 4 : end].decode(errors="replace"), end


def _records(file: BinaryIO, start: int, end: int, path: Path) -> Iterator[_Record]:
    """The records between two offsets; whoever takes one may read its body. The data section's end is none of them:
    what the summary repeats is taken in too."""
    at = start
    while at + RECORD.size <= end:
        file.seek(at)
        opcode, size = RECORD.unpack(_whole(file, RECORD.size, path))
        if size > end - at - RECORD.size:
            raise RecordingError(
                f"expected a record of at most {end - at - RECORD.size} bytes at offset {at} of {path}, found one of "
                f"{size}: the file is damaged; copy it again, or `mcap recover {path} -o whole.mcap` mends it"
            )
        yield _Record(opcode, at + RECORD.size, size)
        if opcode == FOOTER:
            return
        at += RECORD.size + size


def _read(path: Path, changed: int, place: Place) -> bytes:
    """The message whose record begins at a place."""
    if place.block == OUTSIDE:
        with path.open("rb") as file:
            return _message(file, place.offset, path)
    return _message(BytesIO(_chunk(path, changed, place.block)), place.offset, path)


def _message(file: BinaryIO, offset: int, path: Path) -> bytes:
    file.seek(offset)
    opcode, size = RECORD.unpack(_whole(file, RECORD.size, path))
    if opcode != MESSAGE or size < MESSAGE_HEAD.size:
        raise RecordingError(f"expected a message at offset {offset} of {path}, found another record; copy it again")
    file.seek(MESSAGE_HEAD.size, 1)
    return _whole(file, size - MESSAGE_HEAD.size, path)


@lru_cache(maxsize=CHUNKS_HELD)
def _chunk(path: Path, changed: int, body: int) -> bytes:
    with path.open("rb") as file:
        return _chunk_of(file, body, path)


def _chunk_of(file: BinaryIO, body: int, path: Path) -> bytes:
    """The records of the chunk whose body begins there, unpacked. A chunk that cannot be unpacked is damaged."""
    file.seek(body)
    _, _, size, checksum = CHUNK_HEAD.unpack(_whole(file, CHUNK_HEAD.size, path))
    (length,) = struct.unpack("<I", _whole(file, 4, path))
    compression = _whole(file, min(length, 64), path).decode(errors="replace")
    (packed,) = struct.unpack("<Q", _whole(file, 8, path))
    if size > MAX_BLOCK_BYTES:
        raise RecordingError(
            f"expected chunks of at most {MAX_BLOCK_BYTES} bytes in {path}, found one of {size}; `mcap compress` "
            "writes it anew in smaller ones"
        )
    data = _whole(file, packed, path)
    if compression == "zstd":
        data = unpack_zstd(data, size)
    elif compression == "lz4":
        data = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size)
    elif compression:
        raise RecordingError(
            f"expected chunks packed by zstd or lz4 in {path}, found {compression[:16]!r}; `mcap compress` writes it "
            "anew"
        )
    if len(data) != size:
        raise RecordingError(f"expected a chunk of {size} bytes in {path}, found {len(data)}; copy it again")
    if checksum and crc32(data) != checksum:
        raise RecordingError(f"expected a chunk with the checksum {checksum} in {path}, found another; copy it again")
    return data


def _whole(file: BinaryIO, size: int, path: Path) -> bytes:
    data = file.read(size) if size <= MAX_BLOCK_BYTES else b""
    if len(data) != size:
        raise RecordingError(
            f"expected {size} bytes in {path}, found {len(data)}: the file is damaged; copy it again, or "
            f"`mcap recover {path} -o whole.mcap` mends it"
        )
    return data


def _time(log_ns: int) -> int:
    """A log time as a number that arrays hold."""
    return min(log_ns, (1 << 63) - 1)
