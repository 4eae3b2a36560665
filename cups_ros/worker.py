"""A thread that always works on the newest item: what it cannot keep up with is dropped and counted, never queued."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
EARLY = 0.1  # of a period: how much too early an item may come, so that jitter does not halve the rate


class NewestWorker(Generic[Item]):
    """Calls `process` for one item at a time in a thread of its own. One slot holds the item that waits."""

    def __init__(self, process: Callable[[Item], None], name: str = "newest-worker") -> None:
        self._process = process
        self._changed = threading.Condition()
        self._waiting: list[Item] = []
        self._stopping = False
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> bool:
        """Put an item into the slot; True if it took the place of one that nobody will see any more."""
        with self._changed:
            replaced = bool(self._waiting)
            self._waiting = [item]
            self._changed.notify()
        return replaced

    def busy_s(self) -> float:
        """How long the item in work has been in work [s]; 0 if there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def stop(self, timeout_s: float) -> int:
        """End after the item in work; the number of items (0 or 1) that were still waiting."""
        with self._changed:
            left, self._waiting = len(self._waiting), []
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return left

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                item = self._waiting.pop()
                self._begun = time.monotonic()
            try:
                self._process(item)
            finally:
                self._begun = None


class RateLimit:
    """Lets items through at no more than a rate, evenly."""

    def __init__(self) -> None:
        self._due = float("-inf")

    def lets_through(self, now: float, rate_hz: float) -> bool:
        """May an item that came at `now` [s] pass at this rate? 0: always."""
        if rate_hz <= 0:
            return True
        period = 1.0 / rate_hz
        if now < self._due - EARLY * period and self._due <= now + period:  # due later than a period from now: the rate was raised
            return False
        self._due = self._due + period if now < self._due + period <= now + 2 * period else now + period
        return True
