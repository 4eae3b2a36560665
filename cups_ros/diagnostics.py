"""The state of the node as a diagnostic_msgs/DiagnosticArray."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from cups_ros.health import ERROR, OK, Report

LEVELS = {OK: DiagnosticStatus.OK, ERROR: DiagnosticStatus.ERROR}


def diagnostics_message(name: str, report: Report, facts: dict[str, str], header: Header) -> DiagnosticArray:
    """`facts` (state, model, engine, ...) come first, then rate, latency, age and counts."""
    values = {
        **facts,
        "rate_hz": f"{report.rate_hz:.2f}",
        "latency_p50_ms": _number(report.p50_ms),
        "latency_p99_ms": _number(report.p99_ms),
        "age_s": _number(report.age_s),
        **{name: str(number) for name, number in vars(report.counts).items()},
        "last_error": report.last_error,
    }
    status = DiagnosticStatus(
        level=LEVELS.get(report.level, DiagnosticStatus.WARN),
        name=f"{name}: panoptic",
        hardware_id=facts.get("engine", ""),
        message=report.summary,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(header=header, status=[status])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
