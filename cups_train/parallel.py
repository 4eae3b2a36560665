"""Per-frame work over local processes: the one function that stages call."""
from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2  # items in flight for each worker: memory does not grow with the length of a recording


def map_frames(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`function` over `items` in order; in this process where workers <= 1, else in `workers` processes.

    `function` and the items must pickle (a module's function, or functools.partial of one).
    """
    if workers <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                with _interrupts_wait():
                    waiting.append(pool.submit(function, item))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KeyboardInterrupt:
            for process in active_children():  # every file is whole or absent: nobody need wait for the frames in work
                process.terminate()
            raise


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: their parent does, and ends them without a word from each."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one_thread() -> None:
    """Workers share the cores among themselves: threads inside each would only contend."""
    cv2.setNumThreads(1)
