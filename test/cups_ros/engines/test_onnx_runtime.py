"""ONNX Runtime keeps to what the process was given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AFFINITIES = """
import os, sys
from pathlib import Path
os.sched_setaffinity(0, {int(sys.argv[2])})
from cups_ros.model import load_model
tasks = lambda: {int(t) for t in os.listdir("/proc/self/task")}
model = load_model(Path(sys.argv[1]), engines=("onnxruntime-cpu",), threads=int(sys.argv[3]))
print(sorted({core for task in tasks() for core in os.sched_getaffinity(task)}))
"""


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads_stay_on_the_cores_of_the_process(model_folder: Path, threads: int) -> None:
    core = min(os.sched_getaffinity(0))  # ONNX Runtime itself would take the next one too
    done = subprocess.run(
        [sys.executable, "-c", AFFINITIES, str(model_folder), str(core), str(threads)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"[{core}]"
