"""Two streams of stamped items, paired by time; bounded, and forgetful where time jumps back."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Left = TypeVar("Left")
Right = TypeVar("Right")
Item = TypeVar("Item")
DEPTH = 10  # items of a side that wait for their partner


class Pairing(Generic[Left, Right]):
    """Pairs each left item with the right item nearest in time within a tolerance; each item belongs to one pair at
    most. Thread-safe."""

    def __init__(self, tolerance_ns: int) -> None:
        self._tolerance_ns = tolerance_ns
        self._left: OrderedDict[int, Left] = OrderedDict()
        self._right: OrderedDict[int, Right] = OrderedDict()
        self._lock = threading.Lock()

    def add_left(self, stamp_ns: int, item: Left) -> tuple[tuple[Left, Right] | None, int]:
        """The pair that this item completes, and the number of left items that were given up."""
        with self._lock:
            found = self._take(self._right, stamp_ns)
            lost = 0 if found is not None else self._keep(self._left, stamp_ns, item)
            return (None if found is None else (item, found)), lost

    def add_right(self, stamp_ns: int, item: Right) -> tuple[tuple[Left, Right] | None, int]:
        """The same for the other side; right items that are given up are not counted."""
        with self._lock:
            found = self._take(self._left, stamp_ns)
            if found is None:
                self._keep(self._right, stamp_ns, item)
            return (None if found is None else (found, item)), 0

    def clear(self) -> int:
        """Forget everything, as after a jump of the clock; the number of left items that were waiting."""
        with self._lock:
            waiting = len(self._left)
            self._left.clear()
            self._right.clear()
            return waiting

    def _take(self, side: OrderedDict[int, Item], stamp_ns: int) -> Item | None:
        nearest = min(side, key=lambda other: abs(other - stamp_ns), default=None)
        if nearest is None or abs(nearest - stamp_ns) > self._tolerance_ns:
            return None
        return side.pop(nearest)

    @staticmethod
    def _keep(side: OrderedDict[int, Item], stamp_ns: int, item: Item) -> int:
        """Put an item among those that wait; the number of others that had to go."""
        lost = int(stamp_ns in side)
        side[stamp_ns] = item
        while len(side) > DEPTH:
            side.popitem(last=False)
            lost += 1
        return lost
