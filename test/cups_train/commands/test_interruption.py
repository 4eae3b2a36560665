"""Ctrl-C in the middle of a stage: the same command goes on where it stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cups_train.cli import main

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def motion_command(path, out):
    return [sys.executable, "-m", "cups_train.cli", "motion", str(path), "--out", str(out), "-o", "workers=2"]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def heed_interrupts():
    """Jobs in the background of a script ignore Ctrl-C, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted_motion(path, out, number):
    """What `cups-train motion` says when Ctrl-C comes while frames are under way; None where all of them were done
    before it came."""
    process = subprocess.Popen(
        motion_command(path, out),
        env={**os.environ, **ONE_THREAD},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    until = time.monotonic() + 60
    while not list((out / "frames").glob("0*.json")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, number)  # to all processes of the command
    err = process.communicate(timeout=60)[1]
    assert process.returncode in (0, 130), err
    return err if process.returncode else None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_motion_goes_on_and_gives_the_same_bytes(number, bags, tmp_path):
    path = bags.write(bags.stereo(bags.steady(16)))
    for _ in range(5):  # on a busy machine the signal may come late
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        err = interrupted_motion(path, tmp_path / "a", number)
        if err is not None:
            break
    assert err is not None
    assert (
        err.splitlines()[-1] == "cups-train motion: interrupted; the same command goes on where it stopped"
        and "Traceback" not in err
    )
    assert not (tmp_path / "a" / "motion.json").exists()
    assert main(motion_command(path, tmp_path / "a")[3:-1] + ["workers=1"]) == 0
    assert main(motion_command(path, tmp_path / "b")[3:-1] + ["workers=1"]) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b") and (tmp_path / "a" / "motion.json").exists()
