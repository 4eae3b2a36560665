"""The work of one process: objects in frames in a row, each written as soon as it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cups_train.config import MotionConfig
from cups_train.flow.checks import checked
from cups_train.flow.given import given_flow
from cups_train.flow.open import open_matcher
from cups_train.folders.motion import write_frame
from cups_train.geometry.se3 import inverse
from cups_train.motion.method import method_of
from cups_train.motion.tasks import Task
from cups_train.motion.time_step import Before, TimeStep
from cups_train.recording import Recording
from cups_train.types import Absence, MotionResult, Reason, StereoFrame, Work

STEP_CHANGE = 0.2  # share by which the time step may differ for the frame before to say something of a motion
NO_NEIGHBOUR = Absence(Reason.NO_NEIGHBOUR, "no frame before or after it within the time step")
NOT_GIVEN = Absence(Reason.NOT_GIVEN, "no flow is given for it")


@dataclass(frozen=True)
class Job:
    """What is the same for all frames of a recording."""

    recording: Recording
    out: Path
    identity: str  # of the settings, for the files of frames
    config: MotionConfig
    work: Work  # its device is the matcher's
    given: Path | None  # truth folder whose flow and disparity replace the estimates


def find_in_frames(job: Job, tasks: list[Task]) -> list[str]:
    """Write the frames of `tasks`, which are in a row; their keys. What was measured of a frame is kept for the next
    pair."""
    find = method_of(job.config).find
    known: dict[str, StereoFrame] = {}
    for task in tasks:
        if task.partner is None:
            result = _without_partner(job, task)
        else:
            step = _given(job, task) if job.given is not None else _measured(job, task, task.partner, known)
            result = find(step, job.config, job.work.seed)
        write_frame(job.out, _turned(result) if task.backwards and task.partner is not None else result, job.identity)
    return [task.key for task in tasks]


def _without_partner(job: Job, task: Task) -> MotionResult:
    now = job.recording.stereo(task.key)
    absence = NO_NEIGHBOUR if job.given is None else NOT_GIVEN
    return MotionResult(now.key, now.stamp_ns, np.zeros(now.left.shape[:2], np.uint16), None, (), absence)


def _given(job: Job, task: Task) -> TimeStep:
    """Exact flow and disparity from files; `Job.given` names their folder."""
    assert job.given is not None
    now = job.recording.stereo(task.key)
    return TimeStep(now, given_flow(job.given, task.key, now.left.shape[:2]), job.recording.step_ns / 1e9)


def _measured(job: Job, task: Task, partner: str, known: dict[str, StereoFrame]) -> TimeStep:
    """Flow and disparity as the matcher measures them. `known`: frames by key that an earlier call has read; only this
    pair stays in it."""
    for key in (task.key, partner, task.before):
        if key is not None and key not in known:
            known[key] = job.recording.stereo(key)
    now, after = known[task.key], known[partner]
    matcher = open_matcher(job.config, job.work.device, one_thread=job.work.workers > 1)
    step_s = abs(after.stamp_ns - now.stamp_ns) / 1e9 or job.recording.step_ns / 1e9
    past = None
    if task.before is not None and _alike(now.stamp_ns - known[task.before].stamp_ns, step_s):
        past = Before(checked(matcher.match(now, known[task.before])), step_s)
    prior = job.recording.ego_prior(task.key, partner)
    step = TimeStep(now, checked(matcher.match(now, after)), step_s, after.left, prior, past)
    for key in [k for k in known if k not in (task.key, partner)]:
        del known[key]
    return step


def _alike(before_ns: int, step_s: float) -> bool:
    """Is the step from t-1 as long as that to t+1, so that a motion runs on?"""
    return abs(before_ns / 1e9 - step_s) < STEP_CHANGE * step_s


def _turned(result: MotionResult) -> MotionResult:
    """Found from t to t-1: the objects move the other way, and where the camera goes next is unknown."""
    objects = tuple(replace(o, transform=inverse(o.transform)) for o in result.objects)
    return replace(result, ego=None, objects=objects)
