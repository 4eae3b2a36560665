"""A thread that always works on the newest item: what it cannot keep up with is dropped and counted, never queued."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestWorker(Generic[Item]):
    """Calls `process` for one item at a time in a thread of its own. One slot holds the item that waits."""

    def __init__(self, process: Callable[[Item], None]) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._waiting: list[Item] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="newest-worker", daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> bool:
        """Put an item into the slot; True if it took the place of one that nobody will see any more."""
        with self._changed:
            replaced = bool(self._waiting)
            self._waiting = [item]
            self._changed.notify()
        return replaced

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
            self._process(item)
