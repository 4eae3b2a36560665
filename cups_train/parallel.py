"""Per-frame work over processes, here or on a cluster: the one function that stages call."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from typing import Any, Protocol, TypeVar

import cv2

from cups_train.errors import CupsError

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
    """`configured` workers; where it is 0, one for each core that this process may use, or of the cluster that work is
    given to."""
    cluster = _cluster.get()
    return configured or (cluster.workers if cluster else cores())


def cores() -> int:
    """Those that this process may use: a container or taskset may have given it fewer than the machine has."""
    return len(os.sched_getaffinity(0))


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
        with _interrupts_wait():  # what multiprocessing starts beside the workers
            processes = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
        with processes as pool:
            try:
                yield from _in_order(partial(_submit, pool, function), items, AHEAD * workers)
            except BrokenProcessPool as error:
                raise CupsError(
                    f"expected {workers} worker processes to finish their frames, found one killed, most likely for "
                    "want of memory; lower `-o workers=N`, and the same command goes on where it stopped"
                ) from error
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
    """Processes started inside never see Ctrl-C nor a closed terminal: their parent does, and ends them without a word
    from each."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Nobody would hear what a worker does once its parent was killed, and the next command may write the same
    files."""
    one_thread()
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def one_thread() -> None:
    """Workers share the cores among themselves: threads inside each would only contend."""
    cv2.setNumThreads(1)
