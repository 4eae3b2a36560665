from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cups_ros.worker import NewestWorker, RateLimit


class Slow:
    """A worker whose items wait in it until `go`."""

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()
        self.seen: list[int] = []
        self.worker: NewestWorker[int] = NewestWorker(self._work)

    def _work(self, item: int) -> None:
        self.started.set()
        self.go.wait(5)
        self.seen.append(item)


@pytest.fixture
def slow() -> Slow:
    return Slow()


def test_newest_wins_and_every_drop_is_told(slow: Slow) -> None:
    assert slow.worker.offer(0) is False
    assert slow.started.wait(5)  # 0 is in work, the slot is free
    drops = [slow.worker.offer(item) for item in range(1, 6)]
    assert drops == [False, True, True, True, True]
    slow.go.set()
    while len(slow.seen) < 2:
        threading.Event().wait(0.001)
    assert slow.seen == [0, 5] and slow.worker.stop(5) == 0


def test_stop_ends_after_the_item_in_work_and_tells_the_one_that_waited(slow: Slow) -> None:
    slow.worker.offer(1)
    assert slow.started.wait(5)
    slow.worker.offer(2)
    threading.Timer(0.05, slow.go.set).start()
    assert slow.worker.stop(5) == 1 and slow.seen == [1]


def test_time_in_work_is_told(slow: Slow) -> None:
    assert slow.worker.busy_s() == 0 and slow.worker.idle()
    slow.worker.offer(1)
    assert slow.started.wait(5)
    threading.Event().wait(0.05)
    assert 0.05 <= slow.worker.busy_s() < 5 and not slow.worker.idle()
    slow.go.set()
    slow.worker.stop(5)
    assert slow.worker.busy_s() == 0 and slow.worker.idle()


def test_the_next_item_begins_while_the_rest_of_the_last_one_is_done_in_order() -> None:
    begun: list[int] = []
    done: list[int] = []
    more, go = threading.Semaphore(0), threading.Semaphore(0)

    def begin(item: int) -> Callable[[], None]:
        begun.append(item)
        more.release()

        def rest() -> None:
            assert go.acquire(timeout=5)
            done.append(item)

        return rest

    worker = NewestWorker(begin, threads=2)
    for item in (1, 2):
        assert worker.offer(item) is False
        assert more.acquire(timeout=5)  # it is begun, though the rest of 1 is not done
    assert (begun, done) == ([1, 2], []) and worker.busy_s() > 0
    assert worker.offer(3) is False and not more.acquire(timeout=0.1)  # no more than two are in work
    assert worker.offer(4) is True
    for _ in range(3):
        go.release()
    assert more.acquire(timeout=5)
    while len(done) < 3:
        threading.Event().wait(0.001)
    assert worker.stop(5) == 0 and begun == done == [1, 2, 4]


@pytest.mark.parametrize(
    ("come_hz", "limit_hz", "pass_hz"),
    [(30, 20, 20), (30, 10, 10), (30, 0, 30), (30, 30, 30), (10, 30, 10), (60, 7, 7)],
)
def test_rate_is_held_in_spite_of_jitter(come_hz: float, limit_hz: float, pass_hz: float) -> None:
    limit, jitter = RateLimit(), [0.0, 0.002, -0.002, 0.001]
    passed = [limit.lets_through(number / come_hz + jitter[number % 4], limit_hz) for number in range(10 * come_hz)]
    assert sum(passed) == pytest.approx(10 * pass_hz, abs=2)


def test_a_raised_rate_holds_at_once_and_a_pause_gives_no_burst() -> None:
    limit = RateLimit()
    assert limit.lets_through(0.0, 0.1) and not limit.lets_through(1.0, 0.1)
    assert limit.lets_through(1.1, 10)
    assert [limit.lets_through(100 + n / 100, 10) for n in range(11)] == [True, *[False] * 8, True, False]
