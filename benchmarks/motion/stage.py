"""Stage 1a measured: time and memory of the clustering, time of the whole stage, error of the ego-motion.

    python benchmarks/motion/stage.py                              # renders its own stereo streets; last line
        clustering_s_per_pair=X peak_rss_mb=Y
    python benchmarks/motion/stage.py --ego MOTION poses.txt        # a motion folder against poses (12 numbers a line:
        3x4, left camera to world)

Clustering is everything after scene flow: ego-motion, evidence, residual proposals, 8 random runs of the rigid
clustering, votes, growth, outlines. As in the stage itself, each core has a process of its own that takes pair after
pair; the time is that of all pairs together, the memory the sum of the processes' peaks.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

CORES = 2
RUNS = 8
PAIRS = 4
SMALL_PAIRS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ego", nargs=2, type=Path, metavar=("MOTION", "POSES"), help="only the error of a motion folder's ego-motion"
    )
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs at 640x1280")
    args = parser.parse_args()
    if args.ego:
        print(ego_errors(*args.ego))
        return
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        apart(rendered, root / "small", 320, SMALL_PAIRS + 1)
        seconds = apart(whole_stage, root / "small")
        print(f"whole stage 1a at 320x640: {seconds:.2f} s a pair on {CORES} cores ({SMALL_PAIRS} pairs)", flush=True)
        apart(rendered, root / "large", 640, args.pairs + 1)
        keys = apart(matched, root / "large")
        with ProcessPoolExecutor(CORES, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(ready, range(CORES)))
            start = time.perf_counter()
            results = list(pool.map(clustered, [root / "large"] * len(keys), keys))
            seconds = time.perf_counter() - start
        peaks = {
            process: max(r.peak_mb for r in results if r.process == process) for process in {r.process for r in results}
        }
        print(
            f"clustering at 640x1280, {RUNS} runs: {np.mean([r.seconds for r in results]):.2f} s "
            "of processor time a pair, "
            f"{sum(r.objects for r in results)} objects in {len(keys)} pairs",
            flush=True,
        )
        print(f"clustering_s_per_pair={seconds / len(keys):.2f} peak_rss_mb={sum(peaks.values()):.0f}")


def apart(function, *values):  # type: ignore[no-untyped-def]
    """A function's result from a fresh process, so that no memory but its own is measured."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *values).result()


def rendered(root: Path, height: int, frames: int) -> None:
    from cups_train.config import RenderConfig
    from cups_train.render import render

    render(root, frames, 3, RenderConfig(scene="drive", height=height, width=2 * height))


def whole_stage(root: Path) -> float:
    """Seconds a pair of decoding, matching, clustering, tracking and writing, with one process a core."""
    from cups_train.config import MotionConfig, RecordingConfig
    from cups_train.motion import find_motion
    from cups_train.recording import open_recording
    from cups_train.types import Work

    recording = open_recording(root / "recording", RecordingConfig())
    start = time.perf_counter()
    find_motion(recording, root / "motion", MotionConfig(), Work(1996, CORES, "auto"))
    return (time.perf_counter() - start) / (len(recording) - 1)


def matched(root: Path) -> list[str]:
    """Scene flow of every pair, kept in files; their keys."""
    from cups_train.config import MotionConfig, RecordingConfig
    from cups_train.flow.open import scene_flow
    from cups_train.recording import open_recording

    keys = []
    for now, after in open_recording(root / "recording", RecordingConfig()).pairs():
        if after is not None:
            np.savez(
                root / f"{now.key}.npz",
                left=now.left,
                right=now.right,
                after=after.left,
                **vars(scene_flow(now, after, MotionConfig())),
            )
            keys.append(now.key)
    return keys


def ready(_: int) -> None:
    """Import what the clustering needs, outside the measured time."""
    importlib.import_module("cups_train.motion")
    importlib.import_module("cups_train.recording")
    cv2.setNumThreads(1)
    time.sleep(1)


@dataclass(frozen=True)
class Clustered:
    """What one pair took."""

    process: int  # its number
    seconds: float  # of processor time
    objects: int
    peak_mb: float  # largest memory of the process so far


def clustered(root: Path, key: str) -> Clustered:
    """One pair."""
    from cups_train.config import MotionConfig, RecordingConfig
    from cups_train.motion.find import find_moving_objects
    from cups_train.motion.time_step import TimeStep
    from cups_train.recording import open_recording
    from cups_train.types import SceneFlow, StereoFrame

    recording = open_recording(root / "recording", RecordingConfig())
    with np.load(root / f"{key}.npz") as saved:
        content = dict(saved)
    left, right, after = (content.pop(name) for name in ("left", "right", "after"))
    start = time.process_time()
    step = TimeStep(
        StereoFrame(key, 0, left, right, recording.camera), SceneFlow(**content), recording.step_ns / 1e9, after
    )
    result = find_moving_objects(step, MotionConfig(runs=RUNS), 1996)
    spent = time.process_time() - start
    return Clustered(os.getpid(), spent, len(result.objects), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def ego_errors(motion: Path, poses: Path) -> str:
    """Median and worst error of the steps between frames: of the translation in per cent of the true step, of the
    rotation in degrees."""
    inverse, rotation_angle = (
        getattr(importlib.import_module("cups_train.geometry.se3"), name) for name in ("inverse", "rotation_angle")
    )
    true = np.tile(np.eye(4), (len(rows := np.loadtxt(poses)), 1, 1))
    true[:, :3] = rows.reshape(-1, 3, 4)
    frames = json.loads((motion / "motion.json").read_text())["frames"]
    steps = {
        int(f["key"]): np.array(f["ego"]) for f in frames if f["ego"] is not None and int(f["key"]) + 1 < len(true)
    }
    errors = []
    for key, step in steps.items():
        want = inverse(true[key]) @ true[key + 1]
        difference = inverse(want) @ step
        errors.append(
            (
                100 * np.linalg.norm(difference[:3, 3]) / np.linalg.norm(want[:3, 3]),
                np.degrees(rotation_angle(difference[:3, :3])),
            )
        )
    (shift, turn), (worst_shift, worst_turn) = np.median(errors, 0), np.max(errors, 0)
    return (
        f"ego-motion of {len(steps)} steps: translation error median {shift:.2f} % (worst {worst_shift:.2f}), "
        f"rotation error median {turn:.4f} degrees a frame (worst {worst_turn:.4f})"
    )


if __name__ == "__main__":
    main()
