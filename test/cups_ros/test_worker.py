from __future__ import annotations

import threading

from cups_ros.worker import NewestWorker


def test_newest_wins_and_every_drop_is_told() -> None:
    started, go = threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(item: int) -> None:
        started.set()
        go.wait(5)
        seen.append(item)

    worker = NewestWorker(slow)
    assert worker.offer(0) is False
    assert started.wait(5)  # 0 is in work, the slot is free
    drops = [worker.offer(item) for item in range(1, 6)]
    assert drops == [False, True, True, True, True]
    go.set()
    while len(seen) < 2:
        threading.Event().wait(0.001)
    assert seen == [0, 5] and worker.stop(5) == 0


def test_stop_ends_after_the_item_in_work_and_tells_the_one_that_waited() -> None:
    started, go = threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(item: int) -> None:
        started.set()
        go.wait(5)
        seen.append(item)

    worker = NewestWorker(slow)
    worker.offer(1)
    assert started.wait(5)
    worker.offer(2)
    threading.Timer(0.05, go.set).start()
    assert worker.stop(5) == 1 and seen == [1]
