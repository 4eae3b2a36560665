"""Raw messages of a rosbag2 folder or a bare .mcap or .db3 file, read in place with `rosbags` (no ROS needed)."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from rosbags.typesys import Stores, get_typestore

from cups_ros.stamps import nanoseconds
from cups_train.errors import RecordingError
from cups_train.recording.mcap import open_mcap
from cups_train.recording.sqlite import open_sqlite
from cups_train.recording.stored import ZSTD_START, Place, StoredFile, StoredTopic, TopicIndex, unpack_zstd

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
STORAGE = (".mcap", ".db3")
STAMP_END = 12  # bytes of a message up to the end of its header stamp
NEWEST_VERSION = 9  # of metadata.yaml
MAX_METADATA_BYTES = 1 << 24


@dataclass(frozen=True)
class Topic:
    """One topic of a recording."""

    name: str
    type: str
    count: int


def list_topics(path: Path) -> tuple[Topic, ...]:
    """All topics, by name. Raises RecordingError where the recording cannot be opened or is empty."""
    counts: dict[str, Topic] = {}
    for topic in (topic for file in _files(path) for topic in file.topics):
        known = counts.get(topic.name, Topic(topic.name, topic.type, 0))
        if not known.count:  # of two types under one name the one that has messages counts
            known = Topic(topic.name, topic.type, 0)
        counts[topic.name] = Topic(known.name, known.type, known.count + topic.log_ns.size * (known.type == topic.type))
    found = tuple(counts[name] for name in sorted(counts))
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
    """The messages of some topics by the time of recording, those of one time in the order of the files."""
    found = [(file, topic) for name in dict.fromkeys(topics) for file, topic in _stored(path, name)]
    if not found:
        return
    times = np.concatenate([topic.log_ns for _, topic in found])
    places = np.concatenate([topic.places for _, topic in found])
    owner = np.repeat(np.arange(len(found)), [topic.log_ns.size for _, topic in found])
    files = [file.path for file, _ in found]
    rank = np.array([files.index(file.path) for file, _ in found])[owner]
    for row in np.lexsort((places[:, 1], places[:, 0], rank, times)):
        file, topic = found[owner[row]]
        yield Recorded(topic.name, int(times[row]), _bytes(path, file, Place(*places[row].tolist())))


def first_message(path: Path, topic: str) -> tuple[int, bytes]:
    """(log time [ns], CDR bytes) of the first message. Raises RecordingError where there is none."""
    first = next(stream(path, [topic]), None)
    if first is None or len(first.data) < STAMP_END:
        raise RecordingError(f"expected whole messages on {topic} in {path}, found none; record again")
    return first.log_ns, first.data


def fetch(path: Path, topic: str, log_ns: int, stamp_ns: int) -> bytes:
    """CDR bytes of the message recorded at `log_ns` whose header stamp is `stamp_ns`: random access by the index in
    memory."""
    for file, stored in _stored(path, topic):
        for row in range(*np.searchsorted(stored.log_ns, [log_ns, log_ns + 1]).tolist()):
            data = _bytes(path, file, Place(*stored.places[row].tolist()))
            if len(data) >= STAMP_END and header_stamp(data) == stamp_ns:
                return data
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
    """Turns what damaged files raise into one sentence."""
    try:
        yield
    except (RecordingError, MemoryError):
        raise
    except Exception as error:  # damaged files raise anything from struct.error to AssertionError
        reason = str(error) or type(error).__name__
        raise RecordingError(
            f"expected a readable recording, found {path}, which is not: {reason}; copy it again"
        ) from error


def _bytes(path: Path, file: StoredFile, place: Place) -> bytes:
    """CDR bytes; a message that was packed by itself is unpacked, whatever metadata.yaml says of it."""
    with reading(path):
        data = file.read(place)
        return unpack_zstd(data) if data.startswith(ZSTD_START) else data


def _stored(path: Path, name: str) -> list[tuple[StoredFile, StoredTopic]]:
    """A topic in every file that has it, of the type that `list_topics` names. Raises RecordingError where none has."""
    files = _files(path)
    found = [(file, topic) for file in files for topic in file.topics if topic.name == name]
    if not found:
        there = sorted({topic.name for file in files for topic in file.topics})
        raise RecordingError(
            f"expected a topic {name} in {path}, found {', '.join(there) or 'none'}; "
            "`--left`, `--right`, `--left-info` and `--right-info` name them"
        )
    full = [topic.type for _, topic in found if topic.log_ns.size] or [found[0][1].type]
    return [(file, topic) for file, topic in found if topic.type == full[0]]


def _files(path: Path) -> tuple[StoredFile, ...]:
    """The storage files of a recording; each is read through once a process."""
    with reading(path):
        return tuple(_opened(file, *_state(file)) for file in _storage_files(Path(path)))


def _state(file: Path) -> tuple[int, int]:
    """By what a file, and the log of sqlite beside it, are known to be unchanged: time and size."""
    parts = [part.stat() for part in (file, file.with_name(file.name + "-wal")) if part.exists()]
    return max(part.st_mtime_ns for part in parts), sum(part.st_size for part in parts)


@lru_cache(maxsize=256)
def _opened(file: Path, changed: int, size: int) -> StoredFile:
    return open_mcap(file) if file.suffix == ".mcap" else open_sqlite(file)


def _storage_files(path: Path) -> tuple[Path, ...]:
    if path.is_dir():
        return _check_folder(path)
    if not path.exists():
        raise RecordingError(f"expected a rosbag2 folder or a .mcap or .db3 file, found no {path}")
    if path.suffix not in STORAGE:
        hint = " of ROS 1; `rosbags-convert` makes a rosbag2 folder of it" if path.suffix == ".bag" else ""
        raise RecordingError(f"expected a rosbag2 folder or a .mcap or .db3 file, found {path}{hint}")
    _check_file(path)
    return (path,)


def _check_folder(path: Path) -> tuple[Path, ...]:
    """The files that metadata.yaml names; nothing else of it counts, the files say it better."""
    storage = sorted(f for f in path.iterdir() if f.suffix in STORAGE and not f.name.startswith("."))
    if not (path / "metadata.yaml").exists():
        if storage:
            raise RecordingError(
                f"expected metadata.yaml in {path}, found only {', '.join(file.name for file in storage)}; "
                f"give {storage[0]} itself, or run `ros2 bag reindex {path}`"
            )
        raise RecordingError(
            f"expected a rosbag2 folder with metadata.yaml and .mcap or .db3 files, found none of them in {path}"
        )
    files = _named_files(path)
    if len(files) == len(storage) and not all(file.exists() for file in files):
        files = storage  # renamed
    for file in files:
        if not file.exists():
            raise RecordingError(
                f"expected {file.name} beside metadata.yaml, found none in {path}; copy the recording again"
            )
        _check_file(file)
    return tuple(files)


def _named_files(path: Path) -> list[Path]:
    """As metadata.yaml names them."""
    state = (path / "metadata.yaml").stat()
    if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_METADATA_BYTES:
        raise RecordingError(
            f"expected a text of at most {MAX_METADATA_BYTES} bytes in {path / 'metadata.yaml'}, found another kind of "
            f"file or a larger one; `ros2 bag reindex {path}` writes it anew"
        )
    try:
        metadata = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        version, compression = int(metadata["version"]), metadata.get("compression_mode") or ""
        files = [path / Path(file).name for file in metadata["relative_file_paths"]]
    except (
        yaml.YAMLError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
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
    return files


def _check_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise RecordingError(f"expected a file with messages, found {path}, which is none; give a .mcap or .db3 file")
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
