"""Figures of a run as plain rows and inline SVG."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from cups_train.files import read_json
from cups_train.folders.layout import DONE, MOTION
from cups_train.folders.stages import STAGES

Curve = tuple[str, list[tuple[float, float]]]


def stage_times(run: Path) -> list[dict[str, Any]]:
    """One row for every finished stage: name, seconds, files, end."""
    rows = []
    for stage in STAGES:
        path = run / stage.name / DONE
        if path.is_file():
            done = read_json(path)
            rows.append(
                {
                    "stage": stage.name,
                    "seconds": done["seconds"],
                    "files": done["outputs"]["files"],
                    "finished": done["finished"],
                }
            )
    return rows


def motion_summary(folder: Path) -> list[dict[str, Any]]:
    """One row a recording: frames, frames with an object, objects, the commonest reasons of the others with their
    counts."""
    rows = []
    for path in sorted(folder.glob(f"*/{MOTION}")):
        frames = read_json(path)["frames"]
        reasons = Counter(f["reason"] for f in frames if f["reason"])
        rows.append(
            {
                "name": path.parent.name,
                "frames": len(frames),
                "moving": sum(bool(f["objects"]) for f in frames),
                "objects": sum(len(f["objects"]) for f in frames),
                "reasons": reasons.most_common(3),
            }
        )
    return rows


def loss_curves(path: Path) -> list[Curve]:
    """(name, [(step, value)]) of every number that a training log holds beside the step."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name not in ("step", "lr", "seconds") and isinstance(value, int | float):
                curves.setdefault(name, []).append((float(row["step"]), float(value)))
    return [(name, points) for name, points in curves.items() if len(points) > 1]


def curve(name: str, points: list[tuple[float, float]], width: int = 260, height: int = 90) -> dict[str, Any]:
    """An SVG polyline of a curve, averaged to at most 80 points, with its first and last value."""
    size = max(1, len(points) // 80)
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    means = [(sum(x for x, _ in c) / len(c), sum(y for _, y in c) / len(c)) for c in chunks]
    xs, ys = [x for x, _ in means], [y for _, y in means]
    low, high = min(0.0, *ys), max(ys)
    across = (max(xs) - min(xs)) or 1.0
    up = (high - low) or 1.0
    line = " ".join(f"{(x - min(xs)) / across * width:.1f},{height - (y - low) / up * height:.1f}" for x, y in means)
    return {
        "name": name,
        "line": line,
        "width": width,
        "height": height,
        "first": f"{ys[0]:.3g}",
        "last": f"{ys[-1]:.3g}",
        "steps": int(points[-1][0]),
    }
