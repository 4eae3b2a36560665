from __future__ import annotations

import pytest

from cups_ros.health import ERROR, OK, WARN, Health


def test_rate_and_latency_of_the_last_ten_seconds() -> None:
    health = Health(stale_after_s=2.0)
    for number in range(400):  # 20 Hz for 20 s, latency 10 ms, in the last ten seconds 10..110 ms
        now = number / 20
        health.image(now)
        health.answer(now, 0.01 if now < 9.95 else 0.01 + (number - 200) * 0.0005)
    report = health.report(19.95, "active", 0.0)
    assert report.level == OK and report.summary == "running"
    assert report.rate_hz == pytest.approx(20, abs=0.2)
    assert report.p50_ms == pytest.approx(59.75, abs=0.6) and report.p99_ms == pytest.approx(108.5, abs=1.0)
    assert (report.counts.received, report.counts.answered) == (400, 400)


def test_silence_errors_and_states_are_told() -> None:
    health = Health(stale_after_s=2.0)
    assert health.report(100.0, "unconfigured", 90.0).level == WARN
    assert health.report(101.0, "active", 100.0).level == OK  # images may still come
    late = health.report(103.0, "active", 100.0)
    assert late.level == WARN and late.summary == "no image for 3.0 s" and late.p50_ms is None
    health.image(103.5)
    health.count("malformed", error="malformed image: step is 5")
    broken = health.report(104.0, "active", 100.0)
    assert broken.level == ERROR and "step is 5" in broken.summary and broken.counts.malformed == 1
    after = health.report(105.0, "active", 100.0)
    assert after.level == OK and after.last_error == "malformed image: step is 5"


def test_a_warning_is_told_once_below_any_error() -> None:
    health = Health(stale_after_s=2.0)
    health.warn("unmeasured", "no positions: found -4 to -4 px")
    told = health.report(1.0, "active", 0.0)
    assert told.level == WARN and "1 new warnings" in told.summary and "-4 px" in told.summary
    assert (told.counts.unmeasured, told.counts.measured) == (1, 0)
    after = health.report(1.5, "active", 0.0)
    assert after.level == OK and after.last_error == "no positions: found -4 to -4 px"
    health.warn("unmeasured", "no positions")
    health.error("worse")
    assert health.report(1.8, "active", 0.0).level == ERROR


def test_a_fault_is_told_until_it_is_mended() -> None:
    health = Health(stale_after_s=2.0)
    health.fault("cannot load the model: no card")
    for now in (1.0, 2.0, 300.0):
        report = health.report(now, "unconfigured", 0.0)
        assert report.level == ERROR and report.summary == report.last_error == "cannot load the model: no card"


def test_silence_says_why_and_the_age_of_the_last_answer_grows() -> None:
    health = Health(stale_after_s=2.0)
    assert health.report(1.0, "active", 0.0).age_s is None
    health.image(1.0)
    health.answer(1.5, 0.5)
    health.silence = "nobody publishes /camera/image"
    late = health.report(4.0, "active", 0.0)
    assert (
        late.summary == "no image for 3.0 s: nobody publishes /camera/image"
        and late.age_s == 2.5
        and health.silent_s(4.0, 0.0) == 3.0
    )
