"""Raw messages of a rosbag2 folder or a bare .mcap or .db3 file, read in place with `rosbags` (no ROS needed)."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.storage_mcap import McapReader
from rosbags.typesys import Stores, get_typestore

from cups_ros.stamps import nanoseconds
from cups_train.errors import RecordingError
from cups_train.recording.unchunked import read_unchunked

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
STORAGE = (".mcap", ".db3")
STAMP_END = 12  # bytes of a message up to the end of its header stamp
NEWEST_VERSION = 9  # of metadata.yaml


@dataclass(frozen=True)
class Topic:
    """One topic of a recording."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, eq=False)
class TopicIndex:
    """Times of all messages of one topic, in the order of reading."""

    stamp_ns: np.ndarray  # (N,) int64, header stamp
    log_ns: np.ndarray  # (N,) int64, when the message was recorded


def list_topics(path: Path) -> tuple[Topic, ...]:
    """All topics, by name. Raises RecordingError where the recording cannot be opened or is empty."""
    with reading(path):
        topics = _reader(path).topics
        found = tuple(Topic(name, info.connections[0].msgtype, info.msgcount) for name, info in sorted(topics.items()))
    if not any(topic.count for topic in found):
        raise RecordingError(f"expected messages in {path}, found none; record again")
    return found


def read_index(path: Path, topics: Iterable[str]) -> dict[str, TopicIndex]:
    """One pass over the stamped topics that reads header stamps only; no image is decoded."""
    times: dict[str, list[tuple[int, int]]] = {topic: [] for topic in topics}
    for topic, log_ns, data in stream(path, times):
        if len(data) < STAMP_END:
            raise RecordingError(
                f"expected stamped messages on {topic} in {path}, found one of {len(data)} bytes; record again"
            )
        times[topic].append((header_stamp(data), log_ns))
    arrays = {topic: np.array(pairs, np.int64).reshape(-1, 2) for topic, pairs in times.items()}
    return {topic: TopicIndex(array[:, 0].copy(), array[:, 1].copy()) for topic, array in arrays.items()}


class Recorded(NamedTuple):
    """One message of a bag."""

    topic: str
    log_ns: int
    data: bytes  # CDR


def stream(path: Path, topics: Iterable[str]) -> Iterator[Recorded]:
    """The messages of some topics in the order of reading, through a reader of its own."""
    with reading(path):
        reader = _open(path)
        try:
            for connection, log_ns, data in reader.messages(_connections(reader, topics)):
                yield Recorded(connection.topic, log_ns, data)
        finally:
            reader.close()


def first_message(path: Path, topic: str) -> tuple[int, bytes]:
    """(log time [ns], CDR bytes) of the first message. Raises RecordingError where there is none."""
    with reading(path):
        reader = _reader(path)
        for _, log_ns, data in reader.messages(_connections(reader, [topic])):
            if len(data) < STAMP_END:
                break
            return log_ns, data
    raise RecordingError(f"expected whole messages on {topic} in {path}, found none; record again")


def fetch(path: Path, topic: str, log_ns: int, stamp_ns: int) -> bytes:
    """CDR bytes of the message recorded at `log_ns` whose header stamp is `stamp_ns`: random access by the file's
    index."""
    with reading(path):
        reader = _reader(path)
        for file in _unchunked_files(reader):
            for data in read_unchunked(file, topic, log_ns):
                if header_stamp(data) == stamp_ns:
                    return data
        for _, _, data in reader.messages(_connections(reader, [topic]), log_ns, log_ns + 1):
            if header_stamp(data) == stamp_ns:
                return bytes(data)
    raise RecordingError(
        f"expected a message on {topic} at {stamp_ns} ns in {path}, found none: the file has "
        "changed since it was opened"
    )


def header_stamp(data: bytes) -> int:
    """Header stamp [ns] of a stamped message in CDR: 4 bytes encapsulation, then int32 seconds and uint32
    nanoseconds."""
    return nanoseconds(*struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4))


def deserialize(data: bytes, message_type: str) -> Any:
    """A sensor_msgs message of one of the three known types. Raises ValueError on damaged bytes."""
    try:
        return _typestore().deserialize_cdr(data, message_type)
    except Exception as error:  # rosbags raises several kinds on damaged bytes
        raise ValueError(f"damaged {message_type}: {error}") from error


@lru_cache(maxsize=1)
def _typestore() -> Any:
    return get_typestore(Stores.ROS2_JAZZY)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what `rosbags` raises on damaged files into one sentence."""
    try:
        yield
    except (RecordingError, MemoryError):
        raise
    except Exception as error:  # damaged files raise anything from struct.error to AssertionError
        reason = str(error) or type(error).__name__
        raise RecordingError(
            f"expected a readable recording, found {path}, which is not: {reason}; copy it again"
        ) from error


def _connections(reader: Reader, topics: Iterable[str]) -> list[Any]:
    wanted = set(topics)
    found = [connection for connection in reader.connections if connection.topic in wanted]
    missing = wanted - {connection.topic for connection in found}
    if missing:
        raise RecordingError(
            f"expected a topic {sorted(missing)[0]} in {reader.path}, found "
            f"{', '.join(sorted(reader.topics)) or 'none'}; "
            "`--left`, `--right`, `--left-info` and `--right-info` name them"
        )
    return found


def _unchunked_files(reader: Reader) -> list[Path]:
    storages = getattr(reader.storage, "storages", [reader.storage])
    compressed = reader.compression_mode == "message"
    return [
        Path(str(storage.path))
        for storage in storages
        if isinstance(storage, McapReader) and not storage.chunks and not compressed
    ]


def _reader(path: Path) -> Reader:
    """The open reader of this process and thread: file positions are never shared."""
    file = path / "metadata.yaml" if path.is_dir() else path
    changed = file.stat().st_mtime_ns if file.exists() else 0
    return _cached_reader(path, changed, os.getpid(), threading.get_ident())


@lru_cache(maxsize=16)
def _cached_reader(path: Path, changed: int, process: int, thread: int) -> Reader:
    return _open(path)


def _open(path: Path) -> Reader:
    if path.is_dir():
        _check_folder(path)
    elif not path.exists():
        raise RecordingError(f"expected a rosbag2 folder or a .mcap or .db3 file, found no {path}")
    elif path.suffix not in STORAGE:
        hint = " of ROS 1; `rosbags-convert` makes a rosbag2 folder of it" if path.suffix == ".bag" else ""
        raise RecordingError(f"expected a rosbag2 folder or a .mcap or .db3 file, found {path}{hint}")
    else:
        _check_file(path)
    reader = Reader(path)
    reader.open()
    return reader


def _check_folder(path: Path) -> None:
    storage = sorted(file for file in path.iterdir() if file.suffix in STORAGE)
    if not (path / "metadata.yaml").exists():
        if storage:
            raise RecordingError(
                f"expected metadata.yaml in {path}, found only {', '.join(file.name for file in storage)}; "
                f"give {storage[0]} itself, or run `ros2 bag reindex {path}`"
            )
        raise RecordingError(
            f"expected a rosbag2 folder with metadata.yaml and .mcap or .db3 files, found none of them in {path}"
        )
    try:
        metadata = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        version, compression = int(metadata["version"]), metadata.get("compression_mode") or ""
        files = [path / Path(file).name for file in metadata["relative_file_paths"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(
            f"expected rosbag2 metadata in {path / 'metadata.yaml'}, found a damaged file ({type(error).__name__}); "
            f"`ros2 bag reindex {path}` writes it anew"
        ) from error
    if version > NEWEST_VERSION:
        raise RecordingError(
            f"expected metadata.yaml of version {NEWEST_VERSION} or older, found {version} in {path}; "
            "give its .mcap or .db3 file itself"
        )
    if compression.lower() == "file":
        raise RecordingError(
            f"expected a recording that can be read in place, found compressed files in {path}; "
            "unpack them with `zstd -d` and give the .mcap or .db3 file itself"
        )
    for file in files:
        if not file.exists():
            raise RecordingError(
                f"expected {file.name} beside metadata.yaml, found none in {path}; copy the recording again"
            )
        _check_file(file)


def _check_file(path: Path) -> None:
    magic = b"\x89MCAP0\r\n" if path.suffix == ".mcap" else b"SQLite format 3\x00"
    with path.open("rb") as file:
        start = file.read(len(magic))
        if not start:
            raise RecordingError(f"expected messages in {path}, found an empty file; record again")
        if start != magic:
            kind = "an MCAP" if path.suffix == ".mcap" else "a sqlite3"
            raise RecordingError(f"expected {kind} file, found something else in {path}; copy it again")
        if path.suffix == ".mcap":
            file.seek(max(0, path.stat().st_size - len(magic)))
            if file.read() != magic or path.stat().st_size < 45:
                raise RecordingError(
                    f"expected a whole MCAP file, found {path} cut off (its index at the end is missing); "
                    f"`mcap recover {path} -o whole.mcap` mends it"
                )
