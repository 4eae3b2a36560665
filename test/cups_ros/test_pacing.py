"""In a process of its own: what is set holds for the whole process."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import gc, resource, sys
from cups_ros.pacing import keep_memory, spare_collector, take_short_turns

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [bytearray(3_000_000) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_memory()
faults()
take_short_turns()
spare_collector()
print(first, faults(), sys.getswitchinterval(), gc.get_freeze_count())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of glibc")
def test_memory_is_kept_turns_are_short_and_old_objects_are_left_alone() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    first, kept, turn, frozen = (float(value) for value in run.stdout.split())
    assert first > 1000 and kept < 100 and 0 < turn < 1e-3 and frozen > 1000
