"""What was found in a recording, in lines for a person."""

from __future__ import annotations

from cups_train.recording.inspect import Inspection, TopicReport


def render_text(inspection: Inspection) -> str:
    """The inspection as plain text; the last line is the verdict."""
    i = inspection
    lines = [f"{i.name}  {i.path}", f"duration  {i.duration_s:.1f} s", "", "topics"]
    width = max(len(topic.name) for topic in i.topics)
    lines += [
        f"  {topic.name:{width}}  {topic.type.rsplit('/', 1)[-1]:<16} {topic.count:>6}  {_times(topic)}".rstrip()
        for topic in i.topics
    ]
    for side, report in zip(("left", "right"), i.cameras, strict=False):
        c = report.calibration
        lines += [
            "",
            f"{side}  {report.topic}",
            f"  image  {c.width}x{c.height}, {report.encoding}, "
            f"{'rectified' if report.rectified else 'not rectified'} as recorded",
            f"  lens   fx {c.k[0]:.2f} fy {c.k[4]:.2f} cx {c.k[2]:.2f} cy {c.k[5]:.2f} px, "
            f"{c.model or 'no'} distortion "
            f"{' '.join(f'{value:.4g}' for value in c.d) or '-'}  ({c.topic})",
        ]
    if i.camera is not None:
        lines += [
            "",
            f"pair   fx {i.camera.fx:.2f} px, baseline {i.camera.baseline:.4f} m, depth = "
            f"{i.camera.depth_scale:.1f} / disparity",
            f"  pairs          {i.pairs} of {i.images[0]} left and {i.images[1]} right images",
            f"  time           step {i.step_ms:.1f} ms, {i.following} pairs with a t+1",
            f"  rows           {_measured(i.row_offset_px, 'px median vertical disagreement')}",
            f"  motion         {_motion(i)}",
        ]
    lines += ["", *(f"note: {warning}" for warning in i.warnings)]
    lines.append("verdict: can be trained on" if i.problem is None else f"verdict: cannot be trained on: {i.problem}")
    return "\n".join(lines)


def _times(topic: TopicReport) -> str:
    if topic.rate_hz is None:
        return ""
    text = f"{topic.rate_hz:6.2f} Hz"
    if topic.jitter_ms is not None:
        text += f"  jitter {topic.jitter_ms:.2f} ms"
    gaps = f"gaps (longest {topic.longest_gap_s or 0:.2f} s)"
    for count, what in ((topic.gaps, gaps), (topic.duplicates, "equal stamps"), (topic.backwards, "backward stamps")):
        text += f"  {count} {what}" if count else ""
    return text


def _measured(value: float | None, unit: str) -> str:
    return "not measurable" if value is None else f"{value:.2f} {unit}"


def _motion(i: Inspection) -> str:
    if i.standing is None:
        return "not measurable"
    return (
        f"standing {i.standing:.0%}, driving {1 - i.standing:.0%} of the sampled steps; corners move "
        f"{i.motion_px:.2f} px from t to t+1"
    )
