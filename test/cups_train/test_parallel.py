"""Frames over processes give what one process gives, in order, without running ahead; no worker outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from math import factorial

import pytest

from cups_train.errors import CupsError
from cups_train.parallel import AHEAD, map_frames, worker_count


def test_order_is_kept_and_the_source_is_read_as_needed():
    taken = []

    def items():
        for i in range(12):
            taken.append(i)
            yield i

    answers = map_frames(factorial, items(), 2)
    assert next(answers) == 1 and len(taken) <= 2 * AHEAD
    assert [1, *answers] == [factorial(i) for i in range(12)] == list(map_frames(factorial, range(12), 1))


def test_as_many_workers_as_cores_were_given():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert worker_count(0) == 1 and worker_count(3) == 3
    finally:
        os.sched_setaffinity(0, before)


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_worker_is_one_sentence():
    with pytest.raises(CupsError, match="want of memory; lower `-o workers=N`, and the same command goes on"):
        list(map_frames(die, range(6), 2))


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_parallel import say_and_sleep
from cups_train.parallel import map_frames
list(map_frames(say_and_sleep, [sys.argv[2]] * 4, 2))
"""


def say_and_sleep(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(60)


def alive(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_end_with_a_killed_parent(tmp_path):
    said = tmp_path / "said"
    said.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, os.path.dirname(__file__), said])
    until = time.monotonic() + 60
    while len(list(said.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(path.name) for path in said.iterdir()]
    assert len(workers) == 2 and all(map(alive, workers))
    parent.kill()
    parent.wait()
    until = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, workers))
