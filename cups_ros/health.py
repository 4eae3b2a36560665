"""Counts and latencies of a running node, and what they say: no ROS."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace

from cups_ros.rectification import Lens

WINDOW_S = 10.0  # rate and latency are of this long
OK, WARN, ERROR = "ok", "warn", "error"


@dataclass(frozen=True)
class Counts:
    """Images since the node was configured: received = answered + dropped + skipped + malformed + failed + unasked +
    those in work."""

    received: int = 0
    answered: int = 0
    dropped: int = 0  # a newer image came before their turn
    skipped: int = 0  # faster than max_rate_hz
    malformed: int = 0  # not decodable
    failed: int = 0  # the engine or the node raised an error
    unasked: int = 0  # nobody subscribed to an answer
    # Not images:
    lost: int = 0  # told by the transport; not part of `received`
    engine_failures: int = 0  # each was followed by another engine, or by opening the same one again
    clock_jumps: int = 0  # the ROS clock went backwards or was changed, or an image was stamped before the last one
    measured: int = 0  # answers with a depth of their time that has pixels to measure
    unmeasured: int = 0  # answers without


@dataclass(frozen=True)
class Report:
    """The state of the node at one time. Latency is from arrival of an image to its answer, by the monotonic clock."""

    level: str
    summary: str
    rate_hz: float
    p50_ms: float | None
    p99_ms: float | None
    age_s: float | None  # since the last answer
    counts: Counts
    last_error: str


@dataclass(frozen=True)
class Snapshot:
    """What the node is doing at one time, for those who look on from within its process."""

    state: str
    counts: Counts
    last_error: str
    wanted: tuple[str, ...]  # names of the outputs that someone subscribes to
    idle: bool  # no image waits or is in work
    lens: Lens | None  # of the newest camera_info since the node was activated


@dataclass
class Health:
    """Thread-safe counters; times are seconds of the monotonic clock."""

    stale_after_s: float
    counts: Counts = field(default_factory=Counts)
    last_error: str = ""
    silence: str = ""  # what is known about a missing input, told with the warning
    _fault: str = ""
    _errors: int = 0
    _reported_errors: int = 0
    _warnings: int = 0
    _reported_warnings: int = 0
    _last_image: float | None = None
    _last_answer: float | None = None
    _answers: deque[tuple[float, float]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def image(self, now: float) -> None:
        """An image arrived."""
        with self._lock:
            self._last_image = now
            self.counts = replace(self.counts, received=self.counts.received + 1)

    def count(self, name: str, number: int = 1, error: str = "") -> None:
        """Add to one of the counts, with the error that caused it."""
        with self._lock:
            self.counts = replace(self.counts, **{name: getattr(self.counts, name) + number})
            if error:
                self.last_error = error
                self._errors += 1

    def warn(self, name: str, text: str) -> None:
        """Add to one of the counts what is no fault of the node, but nothing that a vehicle may rely on."""
        with self._lock:
            self.counts = replace(self.counts, **{name: getattr(self.counts, name) + 1})
            self.last_error = text
            self._warnings += 1

    def error(self, text: str) -> None:
        """Note an error that belongs to no image."""
        with self._lock:
            self.last_error = text
            self._errors += 1

    def fault(self, text: str) -> None:
        """Note what keeps the node from working; it is told until a new Health begins."""
        with self._lock:
            self.last_error = self._fault = text

    def answer(self, now: float, latency_s: float) -> None:
        """An image was answered."""
        with self._lock:
            self.counts = replace(self.counts, answered=self.counts.answered + 1)
            self._last_answer = now
            self._answers.append((now, latency_s))

    def silent_s(self, now: float, started: float) -> float:
        """How long no image came [s], counted from `started` where none ever came."""
        with self._lock:
            return self._silent_s(now, started)

    def report(self, now: float, state: str, started: float) -> Report:
        """What to tell at `now`; `state` is the node's, `started` the time since when it has been in it."""
        with self._lock:
            while self._answers and self._answers[0][0] < now - WINDOW_S:
                self._answers.popleft()
            latencies = sorted(1e3 * latency for _, latency in self._answers)
            span = min(WINDOW_S, max(now - started, 1e-3))
            new_errors, self._reported_errors = self._errors - self._reported_errors, self._errors
            new_warnings, self._reported_warnings = self._warnings - self._reported_warnings, self._warnings
            p50, p99 = (_percentile(latencies, share) for share in (0.5, 0.99)) if latencies else (None, None)
            level, summary = self._judge(now, state, started, new_errors)
            if level == OK and new_warnings:
                level, summary = WARN, f"{new_warnings} new warnings, the last one: {self.last_error}"
            age = None if self._last_answer is None else now - self._last_answer
            return Report(level, summary, len(latencies) / span, p50, p99, age, self.counts, self.last_error)

    def _silent_s(self, now: float, started: float) -> float:
        return now - max(started, self._last_image if self._last_image is not None else started)

    def _judge(self, now: float, state: str, started: float, new_errors: int) -> tuple[str, str]:
        if self._fault:
            return ERROR, self._fault
        if new_errors:
            return ERROR, f"{new_errors} new errors, the last one: {self.last_error}"
        if state != "active":
            return WARN, f"node is {state}"
        silent = self._silent_s(now, started)
        if silent > self.stale_after_s:
            return WARN, f"no image for {silent:.1f} s" + (f": {self.silence}" if self.silence else "")
        return OK, "running"


def _percentile(ordered: list[float], share: float) -> float:
    """Linear between neighbours. That of numpy imports numpy.ma at its first call, which holds up images for 40 ms."""
    at = share * (len(ordered) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
