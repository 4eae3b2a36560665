"""Stage 1a measured: time and memory of the clustering, time of the whole stage, error of the ego-motion.

    python benchmarks/motion.py                              # renders its own stereo streets; last line clustering_s_per_pair=X peak_rss_mb=Y
    python benchmarks/motion.py --ego MOTION poses.txt       # a motion folder against poses (12 numbers a line, a 3x4 matrix, left camera to world)

Clustering is everything after scene flow: ego-motion, evidence, residual proposals, 8 random runs of the rigid clustering, votes, growth, outlines.
As in the stage itself, each core has a process of its own that takes pair after pair; the time is that of all pairs together, the memory the sum of
the processes' peaks.
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
from pathlib import Path

import cv2
import numpy as np

CORES = 2
RUNS = 8
PAIRS = 4
SMALL_PAIRS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ego", nargs=2, type=Path, metavar=("MOTION", "POSES"), help="only the error of a motion folder's ego-motion")
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
        peaks = {number: max(peak for n, _, _, peak in results if n == number) for number, *_ in results}
        print(f"clustering at 640x1280, {RUNS} runs: {np.mean([cpu for _, cpu, _, _ in results]):.2f} s of processor time a pair, "
              f"{sum(objects for _, _, objects, _ in results)} objects in {len(keys)} pairs", flush=True)
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
    from cups_train.motion import run
    from cups_train.recording import open_recording

    recording = open_recording(root / "recording", RecordingConfig())
    start = time.perf_counter()
    run(recording, root / "motion", MotionConfig(), 1996, CORES)
    return (time.perf_counter() - start) / (len(recording) - 1)


def matched(root: Path) -> list[str]:
    """Scene flow of every pair, kept in files; their keys."""
    from cups_train.config import MotionConfig, RecordingConfig
    from cups_train.flow.classical import scene_flow
    from cups_train.recording import open_recording

    keys = []
    for now, after in open_recording(root / "recording", RecordingConfig()).pairs():
        if after is not None:
            np.savez(root / f"{now.key}.npz", left=now.left, right=now.right, after=after.left, **vars(scene_flow(now, after, MotionConfig())))
            keys.append(now.key)
    return keys


def ready(_: int) -> None:
    """Import what the clustering needs, outside the measured time."""
    importlib.import_module("cups_train.motion")
    importlib.import_module("cups_train.recording")
    cv2.setNumThreads(1)
    time.sleep(1)


def clustered(root: Path, key: str) -> tuple[int, float, int, float]:
    """One pair: number of the process, its processor time [s], objects found, its largest memory so far [MB]."""
    from cups_train.config import MotionConfig, RecordingConfig
    from cups_train.motion import find_moving_objects
    from cups_train.recording import open_recording
    from cups_train.types import SceneFlow, StereoFrame

    recording = open_recording(root / "recording", RecordingConfig())
    with np.load(root / f"{key}.npz") as saved:
        content = dict(saved)
    left, right, after = (content.pop(name) for name in ("left", "right", "after"))
    start = time.process_time()
    result = find_moving_objects(SceneFlow(**content), StereoFrame(key, 0, left, right, recording.camera), MotionConfig(runs=RUNS), 1996,
                                 recording.step_ns / 1e9, (left, after))
    spent = time.process_time() - start
    return os.getpid(), spent, len(result.objects), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ego_errors(motion: Path, poses: Path) -> str:
    """Median and worst error of the steps between frames: of the translation in per cent of the true step, of the rotation in degrees."""
    inverse, rotation_angle = (getattr(importlib.import_module("cups_train.geometry.se3"), name) for name in ("inverse", "rotation_angle"))
    true = np.tile(np.eye(4), (len(rows := np.loadtxt(poses)), 1, 1))
    true[:, :3] = rows.reshape(-1, 3, 4)
    frames = json.loads((motion / "motion.json").read_text())["frames"]
    steps = {int(f["key"]): np.array(f["ego"]) for f in frames if f["ego"] is not None and int(f["key"]) + 1 < len(true)}
    errors = []
    for key, step in steps.items():
        want = inverse(true[key]) @ true[key + 1]
        difference = inverse(want) @ step
        errors.append((100 * np.linalg.norm(difference[:3, 3]) / np.linalg.norm(want[:3, 3]), np.degrees(rotation_angle(difference[:3, :3]))))
    (shift, turn), (worst_shift, worst_turn) = np.median(errors, 0), np.max(errors, 0)
    return (f"ego-motion of {len(steps)} steps: translation error median {shift:.2f} % (worst {worst_shift:.2f}), "
            f"rotation error median {turn:.4f} degrees a frame (worst {worst_turn:.4f})")


if __name__ == "__main__":
    main()
