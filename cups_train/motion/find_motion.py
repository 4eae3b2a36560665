"""Stage 1a: a motion folder from a recording."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cups_train.config import MotionConfig
from cups_train.flow.learned.weights import with_weights
from cups_train.flow.open import matcher_facts, shared_among
from cups_train.folders.motion import KIND, begin_motion, has_frame, identity_of, is_finished
from cups_train.lock import locked
from cups_train.motion.finish import finish
from cups_train.motion.frames import Job, find_in_frames
from cups_train.motion.method import method_of
from cups_train.motion.tasks import list_tasks
from cups_train.output import check_output
from cups_train.parallel import map_frames
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.types import Work

CHUNK = 4  # frames in a row for one worker: their disparities are computed once


def find_motion(recording: Recording, out: Path, config: MotionConfig, work: Work, given: Path | None = None) -> None:
    """Write instances/KEY.png for every frame, motion.json last, and a few overlays.

    A stopped run goes on where it stopped; other settings start it anew, and an earlier result stays until that is
    whole. `given`: truth folder whose flow and disparity replace the estimates. The device of `work` is that of a
    network that gives flow and disparity. Raises ModelError where its weights are missing, ResultError where `given`
    does not fit the recording.
    """
    check_output(out, KIND, force=True)
    if given is None:
        config = with_weights(config, out)
    settings = {
        "recording": recording.fingerprint,
        "config": config.model_dump(mode="json", exclude={"flow_weights"}),
        "seed": work.seed,
        "given": None if given is None else str(given),
        "flow": matcher_facts(config),
    }
    if is_finished(out, settings):
        return
    neighbours = given is None and method_of(config).neighbours
    tasks = list_tasks(recording, given, neighbours)
    with locked(out):
        begin_motion(out, [task.key for task in tasks])
        waiting = [task for task in tasks if not has_frame(out, task.key, identity_of(settings))]
        chunks = [waiting[i : i + CHUNK] for i in range(0, len(waiting), CHUNK)]
        if given is None:
            work = shared_among(config, work)
        job = Job(recording, out, identity_of(settings), config, work, given)
        keys = _flat(map_frames(partial(find_in_frames, job), chunks, work.workers))
        for _ in progress(keys, f"motion {recording.name}", total=len(tasks), done=len(tasks) - len(waiting)):
            pass
        finish(recording, out, settings, supported=neighbours)


def _flat(parts: Iterator[list[str]]) -> Iterator[str]:
    for part in parts:
        yield from part
