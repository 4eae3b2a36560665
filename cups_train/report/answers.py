"""What the page shows of unseen images: the image, its truth and every stage's answer; figures by true class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cups_train.evaluation.strips import LEGEND
from cups_train.files import read_json
from cups_train.folders.layout import PICTURES
from cups_train.report.pictures import data_uri

TITLES = {"image": "image", "truth": "truth (no training reads it)"}


class Picture(NamedTuple):
    """One of a row."""

    title: str
    uri: str


class ClassRow(NamedTuple):
    """What every stage made of a true class."""

    name: str
    isthing: bool
    there: int  # objects of the truth; images that hold it, of stuff
    found: tuple[str, ...]  # of each stage, e.g. "12 (3 false)"
    pq: tuple[float, ...]  # of each stage, per cent


def compared(evaluation: Path, titles: Mapping[str, str]) -> list[tuple[str, list[Picture]]]:
    """Rows of pictures, with the frame's name; titles: of the stages."""
    named = {**TITLES, **titles}
    rows = []
    for folder in sorted(path for path in (evaluation / PICTURES).glob("*") if path.is_dir()):
        pictures = sorted(folder.glob("*.jpg"), key=lambda path: int(path.stem.split("_")[0]))
        row = [(path.stem.split("_", 1)[1], path) for path in pictures]
        rows.append((folder.name, [Picture(named.get(what, what), data_uri(path)) for what, path in row]))
    return rows


def legend(evaluation: Path) -> list[tuple[str, str]]:
    """Names of the true classes that are seen, and their colours as CSS has them."""
    path = evaluation / PICTURES / LEGEND
    rows = read_json(path) if path.is_file() else []
    return [(str(name), f"rgb({', '.join(str(int(value)) for value in color)})") for name, color in rows]


def by_class(metrics: Mapping[str, Any]) -> list[ClassRow]:
    """Rows of all true classes by the strict figures of metrics.json; things first, then what is there most."""
    stages = [figures["strict"]["per_class"] for figures in metrics.values() if "strict" in figures]
    if not stages:
        return []
    found: dict[str, list[dict[str, Any]]] = {}
    for stage in stages:
        for row in stage:
            found.setdefault(row["name"], []).append(row)
    rows = [
        ClassRow(
            name,
            bool(of_stages[0]["isthing"]),
            of_stages[0]["tp"] + of_stages[0]["fn"],
            tuple(f"{r['tp']} ({r['fp']} false)" for r in of_stages),
            tuple(100 * r["pq"] for r in of_stages),
        )
        for name, of_stages in found.items()
        if len(of_stages) == len(stages) and of_stages[0]["tp"] + of_stages[0]["fn"]
    ]
    return sorted(rows, key=lambda row: (not row.isthing, -row.there))
