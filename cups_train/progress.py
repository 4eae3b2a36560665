"""Progress of long work: a bar with ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 10.0


def progress(items: Iterable[Item], title: str, total: int | None = None, done: int = 0) -> Iterator[Item]:
    """Pass `items` on and show how far the work is; `done` counts what an earlier, stopped run has finished."""
    if int(os.environ.get("RANK", "0")):  # under torchrun the first process alone speaks
        return iter(items)
    if total is None and hasattr(items, "__len__"):
        total = len(items) + done  # type: ignore[arg-type]
    show = _bar if sys.stderr.isatty() else _lines
    return show(items, title, total, done)


def _bar(items: Iterable[Item], title: str, total: int | None, done: int) -> Iterator[Item]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=False) as bar:
        task = bar.add_task(title, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)


def _lines(items: Iterable[Item], title: str, total: int | None, done: int) -> Iterator[Item]:
    start = last = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or (total is not None and done + count == total):
            last = now
            print(_line(title, done + count, total, (now - start) / count, now - start), file=sys.stderr, flush=True)


def _line(title: str, count: int, total: int | None, seconds: float, elapsed: float) -> str:
    of = f"/{total}  ETA {_clock((total - count) * seconds)}" if total else ""
    return f"{title}  {count}{of}  {seconds:.2f} s each  {_clock(elapsed)} so far"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
