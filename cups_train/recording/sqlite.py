"""Places of the messages of a sqlite3 storage file, through sqlite itself: what is in a `-wal` beside it counts."""

from __future__ import annotations

import os
import sqlite3
import threading
from array import array
from collections import defaultdict
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cups_train.errors import RecordingError
from cups_train.recording.stored import Place, StoredFile, plain_type, stored_topic

TABLES = {"messages", "topics"}


def open_sqlite(path: Path) -> StoredFile:
    """Raises RecordingError where it is no storage file of rosbag2."""
    changed = path.stat().st_mtime_ns
    database = _connection(path, changed, os.getpid(), threading.get_ident())
    try:
        there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError as error:
        raise RecordingError(
            f"expected a database that can be read in {path}, found: {error}; where a `-wal` lies beside it, copy both "
            "to a folder that you may write to"
        ) from error
    if not there >= TABLES:
        raise RecordingError(
            f"expected the tables topics and messages in {path}, found {', '.join(sorted(there)) or 'none'}; record "
            "again, or copy it with the `-wal` that lies beside it"
        )
    rows: dict[int, array[int]] = defaultdict(lambda: array("q"))  # log time and place of each message
    for topic, log_ns, number in database.execute("SELECT topic_id, timestamp, rowid FROM messages"):
        rows[topic].extend((log_ns, 0, number))
    named = database.execute("SELECT id, name, type, serialization_format FROM topics ORDER BY id")
    topics = tuple(
        stored_topic(str(name), plain_type(str(kind), str(form)), np.array(rows[key], np.int64).reshape(-1, 3))
        for key, name, kind, form in named
    )
    return StoredFile(path, topics, partial(_read, path, changed))


def _read(path: Path, changed: int, place: Place) -> bytes:
    database = _connection(path, changed, os.getpid(), threading.get_ident())
    row = database.execute("SELECT data FROM messages WHERE rowid = ?", (place.offset,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise RecordingError(f"expected the bytes of message {place.offset} in {path}, found none; record again")
    return row[0]


@lru_cache(maxsize=16)
def _connection(path: Path, changed: int, process: int, thread: int) -> sqlite3.Connection:
    """The connection of this process and thread. A file whose recorder has ended is never written to: without a log
    beside it, it is opened as one that nobody changes."""
    wal = path.with_name(path.name + "-wal")
    pending = wal.exists() and wal.stat().st_size > 0
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{'mode=ro' if pending else 'immutable=1'}", uri=True)
