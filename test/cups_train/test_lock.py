"""Two commands on one folder."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cups_train.errors import CupsError
from cups_train.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from cups_train.lock import locked
with locked(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, "run", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_command_is_told_who_holds_the_folder(holder, tmp_path):
    with pytest.raises(CupsError, match=rf"run, process {holder.pid} on {os.uname().nodename}"), locked(tmp_path):
        pass


def test_a_killed_command_holds_nothing(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == holder.pid
    with locked(tmp_path), locked(tmp_path):  # the same process may hold it again
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_made_for_nothing_goes(tmp_path):
    with locked(tmp_path / "new"):
        assert (tmp_path / "new" / ".lock").exists()
    assert not (tmp_path / "new").exists()


def test_the_lock_is_free_again_at_once(tmp_path):
    start = time.monotonic()
    for _ in range(50):
        with locked(tmp_path):
            pass
    assert time.monotonic() - start < 5
