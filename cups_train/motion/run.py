"""Stage 1a: a motion folder from a recording."""
from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.config import MotionConfig
from cups_train.errors import ResultError
from cups_train.files import check_out, read_json, write_json
from cups_train.flow.classical import scene_flow
from cups_train.flow.given import given_flow, has_given
from cups_train.flow.learned.weights import source_facts, where, with_weights
from cups_train.folders.layout import MOTION, OVERLAYS
from cups_train.folders.motion import write_frame
from cups_train.geometry.se3 import inverse
from cups_train.motion.confirm import Before
from cups_train.motion.find import find_moving_objects
from cups_train.motion.finish import finish
from cups_train.parallel import map_frames
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.types import MotionResult, SceneFlow, StereoFrame

STEP_CHANGE = 0.2  # share by which the time step may differ for the frame before to say something of a motion
CHUNK = 4  # frames in a row for one worker: their disparities are computed once
OWN = {"frames", "instances", OVERLAYS, MOTION, "flow", "flow.safetensors"}
NO_PARTNER = "no frame before or after it within the time step"


@dataclass(frozen=True)
class Task:
    """One frame and its partner."""

    key: str
    partner: str | None  # t+1, or t-1 where `backwards`
    backwards: bool
    before: str | None = None  # t-1, where t+1 is the partner


def run(recording: Recording, out: Path, config: MotionConfig, seed: int, workers: int, given: Path | None = None,  # noqa: PLR0913
        device: str = "auto") -> None:
    """Write instances/KEY.png for every frame, motion.json last, and a few overlays.

    A stopped run goes on where it stopped; other settings start it anew. `given`: truth folder whose flow and disparity replace the estimates.
    `device`: of a network that gives flow and disparity. Raises ResultError where `given` does not fit the recording.
    """
    check_out(out, OWN)
    if given is None:
        config = with_weights(config, [recording], out, seed, device)
    settings = {"recording": recording.fingerprint, "config": config.model_dump(mode="json", exclude={"flow_weights"}), "seed": seed,
                "given": None if given is None else str(given), "flow": source_facts(config)}
    if _is_done(out, settings):
        return
    tasks = _tasks(recording, given, backwards=config.compat == "repaired")
    _begin(out, settings)
    waiting = [task for task in tasks if not (out / "frames" / f"{task.key}.json").exists()]
    chunks = [waiting[i:i + CHUNK] for i in range(0, len(waiting), CHUNK)]
    place, workers = where(config, device, workers) if given is None else ("cpu", workers)
    source = given or partial(scene_flow, config=config, device=place, alone=workers > 1)
    work = partial(_work, recording=recording, out=out, config=config, seed=seed, source=source)
    done = len(tasks) - len(waiting)
    for _ in progress(_flat(map_frames(work, chunks, workers)), f"motion {recording.name}", total=len(tasks), done=done):
        pass
    finish(recording, out, settings, supported=given is None and config.compat == "repaired")


def _flat(parts: Iterator[list[str]]) -> Iterator[str]:
    for part in parts:
        yield from part


def _is_done(out: Path, settings: dict[str, Any]) -> bool:
    return (out / MOTION).exists() and read_json(out / MOTION).get("settings") == settings


def _begin(out: Path, settings: dict[str, Any]) -> None:
    """Keep what an earlier run with the same settings has finished, nothing else."""
    path = out / "frames" / "settings.json"
    if not path.exists() or read_json(path) != settings:
        for name in ("frames", "instances", OVERLAYS):
            shutil.rmtree(out / name, ignore_errors=True)
        (out / MOTION).unlink(missing_ok=True)
        write_json(path, settings)


def _tasks(recording: Recording, given: Path | None, backwards: bool = True) -> list[Task]:
    """Every frame; `backwards`: the frame before is looked at too, and takes the place of t+1 where there is none."""
    stamps = recording.stamps
    if given is not None:
        has = [has_given(given, s.key) for s in stamps]
        if not any(has):
            raise ResultError(f"expected KEY_flow.png, KEY_disp.png and KEY_disp_next.png in {given}, found no flow of any frame: "
                              f"--given must name the truth of {recording.name}")
        return [Task(s.key, s.key if flow else None, False) for s, flow in zip(stamps, has, strict=True)]
    tasks = []
    for i, stamp in enumerate(stamps):
        before = stamps[i - 1].key if backwards and i and stamps[i - 1].follows else None
        tasks.append(Task(stamp.key, stamps[i + 1].key, False, before) if stamp.follows else Task(stamp.key, before, True))
    return tasks


def _work(tasks: list[Task], recording: Recording, out: Path, config: MotionConfig, seed: int,
          source: Path | Callable[[StereoFrame, StereoFrame], SceneFlow]) -> list[str]:
    """Frames in a row in one process; what was measured of a frame is kept for the next pair."""
    known: dict[str, StereoFrame] = {}

    def seen(key: str) -> StereoFrame:
        if key not in known:
            known[key] = recording.stereo(key)
        return known[key]

    for task in tasks:
        if task.partner is None:
            now = recording.stereo(task.key)
            reason = "no flow is given for it" if isinstance(source, Path) else NO_PARTNER
            write_frame(out, MotionResult(now.key, now.stamp_ns, np.zeros(now.left.shape[:2], np.uint16), None, (), reason))
            continue
        if isinstance(source, Path):
            now = recording.stereo(task.key)
            result = find_moving_objects(given_flow(source, task.key, now.left.shape[:2]), now, config, seed, recording.step_ns / 1e9)
        else:
            now, after = seen(task.key), seen(task.partner)
            before = None if task.before is None else seen(task.before)
            step_s = abs(after.stamp_ns - now.stamp_ns) / 1e9 or recording.step_ns / 1e9
            past = None if before is None or not _alike(now.stamp_ns - before.stamp_ns, step_s) else Before(source(now, before), step_s)
            prior = recording.ego_prior(task.key, task.partner)
            result = find_moving_objects(source(now, after), now, config, seed, step_s, (now.left, after.left), prior, past)
        write_frame(out, _turned(result) if task.backwards else result)
        for key in [k for k in known if k not in (task.key, task.partner)]:
            del known[key]
    return [task.key for task in tasks]


def _alike(before_ns: int, step_s: float) -> bool:
    """Is the step from t-1 as long as that to t+1, so that a motion runs on?"""
    return abs(before_ns / 1e9 - step_s) < STEP_CHANGE * step_s


def _turned(result: MotionResult) -> MotionResult:
    """Found from t to t-1: the objects move the other way, and where the camera goes next is unknown."""
    objects = tuple(replace(o, transform=inverse(o.transform)) for o in result.objects)
    return replace(result, ego=None, objects=objects)
