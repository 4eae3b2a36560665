"""Threads that always work on the newest item: what they cannot keep up with is dropped and counted, never queued."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
HEAD_START_S = 7e-4  # for the next item before the rest of the last one: of two Python threads only one runs at a time
EARLY = 0.1  # of a period: how much too early an item may come, so that jitter does not halve the rate


class NewestWorker(Generic[Item]):
    """Calls `begin` for one item at a time in a thread of its own. One slot holds the item that waits.

    What `begin` returns is the rest of the work on its item. With two threads the next item begins meanwhile; rests are
    done one at a time, in the order of their items.
    """

    def __init__(
        self, begin: Callable[[Item], Callable[[], None] | None], name: str = "newest-worker", threads: int = 1
    ) -> None:
        self._begin = begin
        self._changed = threading.Condition()
        self._turn, self._rest = threading.Lock(), threading.Lock()
        self._waiting: list[Item] = []
        self._stopping = False
        self._begun: dict[int, float] = {}  # by thread: when the item in its work was begun
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=name, daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, item: Item) -> bool:
        """Put an item into the slot; True if it took the place of one that nobody will see any more."""
        with self._changed:
            replaced = bool(self._waiting)
            self._waiting = [item]
            self._changed.notify()
        return replaced

    def busy_s(self) -> float:
        """How long the oldest item in work has been in work [s]; 0 if there is none."""
        begun = min(tuple(self._begun.values()), default=None)
        return 0.0 if begun is None else time.monotonic() - begun

    def idle(self) -> bool:
        """Is no item waiting or in work?"""
        with self._changed:
            return not self._waiting and not self._begun

    def stop(self, timeout_s: float) -> int:
        """End after the items in work; the number of items (0 or 1) that were still waiting."""
        with self._changed:
            left, self._waiting = len(self._waiting), []
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return left

    def _work(self, number: int) -> None:
        """The thread whose turn it is waits for an item and begins it; it gives its turn away once the rest of the item
        before is done."""
        while not self._stopping:
            try:
                with self._turn:
                    rest = self._begin_next(number)
                    if rest is None:
                        continue
                    self._rest.acquire()
                if self._waiting:
                    time.sleep(HEAD_START_S)
                try:
                    rest()
                finally:
                    self._rest.release()
            finally:
                self._begun.pop(number, None)

    def _begin_next(self, number: int) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            item = self._waiting.pop()
            self._begun[number] = time.monotonic()
        return self._begin(item)


class RateLimit:
    """Lets items through at no more than a rate, evenly."""

    def __init__(self) -> None:
        self._due = float("-inf")

    def lets_through(self, now: float, rate_hz: float) -> bool:
        """May an item that came at `now` [s] pass at this rate? 0: always."""
        if rate_hz <= 0:
            return True
        period = 1.0 / rate_hz
        # due later than a period from now: the rate was raised
        if now < self._due - EARLY * period and self._due <= now + period:
            return False
        self._due = self._due + period if now < self._due + period <= now + 2 * period else now + period
        return True
