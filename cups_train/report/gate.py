"""What the page shows of stage 1c: the gate's verdict, which classes lie in moving objects and where things begin,
areas, instances a frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from cups_ros.types import Classes
from cups_train.files import read_json
from cups_train.folders import stages
from cups_train.folders.layout import CONFIG, LABELS, STATISTICS

WIDTH, HEIGHT = 1080, 150  # of a bar chart, px
MOST = 8  # instances of a frame from which frames are counted together
MARGIN = 18  # px below the bars, for ids


@dataclass(frozen=True)
class Bar:
    """One class in a bar chart."""

    id: int
    value: float
    color: str  # as CSS has it
    marked: bool


def gate_content(run: Path, classes: Classes) -> dict[str, Any] | None:
    """Verdict, figures, charts and table of the labels; None where they are not finished."""
    path = run / stages.LABELS / STATISTICS
    if not path.is_file() or not len(classes):
        return None
    found = read_json(path)
    colors = {c.id: f"rgb({c.color[0]}, {c.color[1]}, {c.color[2]})" for c in classes}
    split = found["split"]
    areas = {c["id"]: c["area_share"] for c in found["classes"]}
    class_of = found.get("class_of") or [row["id"] for row in found["classes"]]
    rows = [
        {
            **row,
            "color": colors[c],
            "name": classes.items[c - 1].name,
            "area": areas[c],
            "instances": found["classes"][c - 1]["instances"],
        }
        for row in split["table"]
        for c in (class_of[row["class_id"] - 1],)
    ]
    by_area = sorted(found["classes"], key=lambda row: -row["area_share"])
    return {
        "verdict": found["gate"],
        "found": found,
        "rows": rows,
        "rule": split["rule"],
        "note": split["note"],
        "ratios": bars(
            [Bar(r["class_id"], r["ratio"], r["color"], r["isthing"]) for r in rows], split_line(split, _psi(run))
        ),
        "areas": bars([Bar(r["id"], r["area_share"], colors[r["id"]], bool(r["isthing"])) for r in by_area], None),
        "instances": instances_of_frames(run / stages.LABELS),
    }


def split_line(split: dict[str, Any], psi: float) -> float | None:
    """The ratio at which things begin: psi times the mean where that rule decided, else half way between the two kinds;
    None where they mix."""
    if split["rule"] == "lift":
        return float(psi * split["mean_ratio"])
    things = [row["ratio"] for row in split["table"] if row["isthing"]]
    others = [row["ratio"] for row in split["table"] if not row["isthing"] and row["supported"]]
    if not things or not others or min(things) < max(others):
        return None
    return float((min(things) + max(others)) / 2)


def bars(values: list[Bar], line: float | None) -> dict[str, Any]:
    """A bar chart: rectangles in px from the top left, and where the line is drawn."""
    top = max([bar.value for bar in values] + [line or 0.0, 1e-9])
    step = WIDTH / max(len(values), 1)
    shown = [
        {
            "x": round(n * step, 1),
            "width": round(0.8 * step, 1),
            "y": round(HEIGHT * (1 - bar.value / top), 1),
            "height": round(HEIGHT * bar.value / top, 1),
            **asdict(bar),
        }
        for n, bar in enumerate(values)
    ]
    return {
        "bars": shown,
        "width": WIDTH,
        "height": HEIGHT,
        "full": HEIGHT + MARGIN,
        "top": top,
        "line": line,
        "line_y": None if line is None else round(HEIGHT * (1 - line / top), 1),
    }


def instances_of_frames(labels: Path) -> list[tuple[str, int]]:
    """Frames by their number of labelled objects: ("0", frames), ... ("8 or more", frames)."""
    counts: Counter[int] = Counter()
    for path in sorted(labels.glob(f"*/{LABELS}")):
        counts.update(min(len(frame["instances"]), MOST) for frame in read_json(path)["frames"])
    return [(f"{n} or more" if n == MOST else str(n), counts[n]) for n in range(max(counts, default=0) + 1)]


def _psi(run: Path) -> float:
    return float(yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))["labels"]["psi"])
