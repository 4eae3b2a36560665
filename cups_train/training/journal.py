"""The log of a training: train.log for people, metrics.jsonl for programs, TensorBoard where it is installed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cups_train.files import write_text
from cups_train.folders.layout import LOG, LOSSES, TENSORBOARD

LINES = 200  # about so many step lines in train.log


class Stopwatch:
    """Seconds between starts and stops, until they are taken. Runs from the beginning."""

    def __init__(self) -> None:
        self.seconds, self.since = 0.0, time.monotonic()

    def start(self) -> None:
        self.since = time.monotonic()

    def stop(self) -> None:
        self.seconds += time.monotonic() - self.since

    def take(self) -> float:
        """All seconds so far; counts from zero again."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class Journal:
    """Writes both files; does nothing where `active` is false (other ranks of a distributed training)."""

    def __init__(self, out: Path, steps: int, active: bool = True) -> None:
        self.out, self.steps, self.active = out, steps, active
        self.every = max(1, steps // LINES)
        self.written_at = time.monotonic()
        self.board: Any = None
        if active:
            out.mkdir(parents=True, exist_ok=True)

    def start(self, step: int) -> None:
        """Begin at `step`: drop what an earlier, killed run wrote about later steps (or everything, at step 0)."""
        self.written_at = time.monotonic()
        path = self.out / LOSSES
        if not self.active:
            return
        self.board = _board(self.out.parent / TENSORBOARD / self.out.name, step)
        if step == 0:
            (self.out / LOG).unlink(missing_ok=True)
        kept = "".join(line for line in _lines(path) if _step_of(line) <= step) if step else ""
        write_text(path, kept)

    def text(self, line: str) -> None:
        """A line of train.log."""
        if self.active:
            with (self.out / LOG).open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")

    def step(self, step: int, values: dict[str, float]) -> None:
        """What happened in one step; `step` counts from 1. Adds the seconds since the last call."""
        now = time.monotonic()
        values = {**values, "seconds": now - self.written_at}
        self.written_at = now
        if not self.active:
            return
        with (self.out / LOSSES).open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"step": step, **{name: float(f"{value:.6g}") for name, value in values.items()}}) + "\n"
            )
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)
        if step % self.every == 0 or step == self.steps:
            self.text(
                f"step {step}/{self.steps}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            )


def _board(folder: Path, step: int) -> Any:
    """A writer of TensorBoard's events that forgets what an earlier run wrote from `step` on; None without the extra
    `tensorboard`. The events name host and time, so that they lie beside the stage and not in it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _lines(path: Path) -> Iterator[str]:
    """Complete lines only: a killed run may have left half of one."""
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.endswith("\n"))


def _step_of(line: str) -> int:
    return int(json.loads(line)["step"])
