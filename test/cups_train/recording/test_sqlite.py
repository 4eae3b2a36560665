"""A sqlite3 storage file with all that sqlite itself finds in it, whatever its name."""

import shutil
import sqlite3

import pytest
from rosbags.rosbag2 import StoragePlugin

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import open_recording
from cups_train.recording.sqlite import open_sqlite


@pytest.mark.parametrize("name", ["plain", "with#hash", "why?", "100%25", "two words", "Straße"])
def test_any_name(bags, name):
    written = bags.write(bags.stereo(bags.steady(3)), "whole", storage=StoragePlugin.SQLITE3) / "whole.db3"
    path = shutil.copy(written, bags.folder / f"{name}.db3")
    assert len(open_recording(path, RecordingConfig())) == 3


@pytest.mark.parametrize("kept", [0, 3])
def test_what_is_in_the_log_counts(bags, tmp_path, kept):
    """The recorder was killed: its last messages are committed in the -wal alone."""
    whole = bags.write(bags.stereo(bags.steady(6)), "whole", storage=StoragePlugin.SQLITE3) / "whole.db3"
    killed = tmp_path / "killed"
    killed.mkdir()
    source = sqlite3.connect(whole)
    live = tmp_path / "live.db3"
    database = sqlite3.connect(live)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    for (statement,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"):
        database.execute(statement)
    database.executemany("INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?)", source.execute("SELECT * FROM topics"))
    for number, row in enumerate(source.execute("SELECT * FROM messages ORDER BY timestamp").fetchall()):
        if number == kept and kept:
            database.commit()
            database.execute("PRAGMA wal_checkpoint(FULL)")
        database.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", row)
    database.commit()
    for end in ("", "-wal"):
        shutil.copy(f"{live}{end}", killed / f"live.db3{end}")
    database.close()
    assert (killed / "live.db3-wal").stat().st_size
    assert len(open_recording(killed / "live.db3", RecordingConfig())) == 6


def test_tables_of_something_else(tmp_path):
    database = sqlite3.connect(tmp_path / "other.db3")
    database.execute("CREATE TABLE songs (id INTEGER)")
    database.commit()
    with pytest.raises(RecordingError, match="expected the tables topics and messages .* found songs"):
        open_sqlite(tmp_path / "other.db3")
