"""Per-frame work over processes, here or on a cluster: the one function that stages call."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from multiprocessing import active_children, get_context
from typing import Any, Protocol, TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")
Submit = Callable[[Any], Callable[[], Any]]  # hands an item over at once; what it gives back waits for the result
AHEAD = 2  # items in flight for each worker: memory does not grow with the length of a recording


class Cluster(Protocol):
    """Workers on other machines."""

    workers: int

    def submitter(self, function: Callable[[Any], Any]) -> Submit:
        """Hands items of one function over."""


_cluster: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@contextmanager
def work_on(cluster: Cluster) -> Iterator[None]:
    """Inside, `map_frames` gives its work to `cluster`."""
    token = _cluster.set(cluster)
    try:
        yield
    finally:
        _cluster.reset(token)


def worker_count(configured: int) -> int:
    """`configured` workers; where it is 0, one for each core of this machine, or of the cluster that work is given
    to."""
    cluster = _cluster.get()
    return configured or (cluster.workers if cluster else os.cpu_count() or 1)


def map_frames(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`function` over `items` in order; in this process where workers <= 1, else in `workers` processes, here or on the
    cluster in force.

    `function` and the items must pickle (a module's function, or functools.partial of one).
    """
    cluster = _cluster.get()
    if workers <= 1:
        yield from map(function, items)
    elif cluster is not None:
        yield from _in_order(cluster.submitter(function), items, AHEAD * workers)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=one_thread) as pool:
            try:
                yield from _in_order(partial(_submit, pool, function), items, AHEAD * workers)
            except KeyboardInterrupt:
                # every file is whole or absent: nobody need wait for the frames in work
                for process in active_children():
                    process.terminate()
                raise


def _in_order(submit: Submit, items: Iterable[Any], most: int) -> Iterator[Any]:
    waiting: deque[Callable[[], Any]] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) >= most:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _submit(pool: ProcessPoolExecutor, function: Callable[[Any], Any], item: Any) -> Callable[[], Any]:
    with _interrupts_wait():
        return pool.submit(function, item).result


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: their parent does, and ends them without a word from each."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def one_thread() -> None:
    """Workers share the cores among themselves: threads inside each would only contend."""
    cv2.setNumThreads(1)
