"""Which frame is compared with which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cups_train.errors import ResultError
from cups_train.flow.given import has_given
from cups_train.recording import Recording


@dataclass(frozen=True)
class Task:
    """One frame and its partner."""

    key: str
    partner: str | None  # t+1, or t-1 where `backwards`
    backwards: bool
    before: str | None = None  # t-1, where t+1 is the partner


def list_tasks(recording: Recording, given: Path | None, neighbours: bool = True) -> list[Task]:
    """Every frame. `neighbours`: the frame before is looked at too, and takes the place of t+1 where there is none.

    Raises ResultError where the folder `given` has no flow of any frame.
    """
    stamps = recording.stamps
    if given is not None:
        has = [has_given(given, s.key) for s in stamps]
        if not any(has):
            raise ResultError(
                f"expected KEY_flow.png, KEY_disp.png and KEY_disp_next.png in {given}, found no flow of any frame: "
                f"--given must name the truth of {recording.name}"
            )
        return [Task(s.key, s.key if flow else None, False) for s, flow in zip(stamps, has, strict=True)]
    tasks = []
    for i, stamp in enumerate(stamps):
        before = stamps[i - 1].key if neighbours and i and stamps[i - 1].follows else None
        tasks.append(
            Task(stamp.key, stamps[i + 1].key, False, before) if stamp.follows else Task(stamp.key, before, True)
        )
    return tasks
