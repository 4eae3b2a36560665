"""RUN/report/index.html: one page without any file beside it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cups_ros.types import Classes
from cups_train.evaluation.table import in_words, score_tables
from cups_train.files import read_json, write_text
from cups_train.folders import layout, stages
from cups_train.folders.recordings import index_paths
from cups_train.folders.run import RunFolder
from cups_train.folders.semantics import sheet_path
from cups_train.report.answers import by_class, compared, legend
from cups_train.report.figures import curve, loss_curves, motion_summary, stage_times
from cups_train.report.gate import gate_content
from cups_train.report.pictures import data_uri

PICTURES = 6  # of one kind
STAGE_TITLES = {
    "kmeans": "k-means on colour and position",
    **{stage.name: stage.title for stage in stages.STAGES if stage.answers},
}


def write_report(run: Path) -> Path:
    """Write the page of a run from what its stages have left; stages that are missing are left out. The page's path."""
    environment = Environment(
        loader=PackageLoader("cups_train.report", "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    page = environment.get_template("page.html").render(**_content(run))
    path = run / layout.REPORT / layout.REPORT_PAGE
    write_text(path, page)
    return path


def _content(run: Path) -> dict[str, Any]:
    classes = RunFolder(run).classes() if (run / layout.CLASSES).is_file() else Classes(())
    return {
        "name": run.name,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "recordings": [read_json(p) for p in index_paths(run)],
        "times": stage_times(run),
        "scores": score_tables(_json(run / layout.SCORES) or {}),
        "titles": STAGE_TITLES,
        "node": _json(run / layout.NODE / layout.NODE_FIGURES),
        "node_pictures": _pictures(run / layout.NODE / layout.ANSWERS / layout.OVERLAYS),
        "motion": motion_summary(run / stages.MOTION),
        "motion_pictures": _pictures_of_recordings(run / stages.MOTION),
        "semantics_pictures": _pictures_of_recordings(run / stages.SEMANTICS),
        "label_pictures": _pictures_of_recordings(run / stages.LABELS),
        "sheet": data_uri(sheet) if (sheet := sheet_path(run / stages.SEMANTICS)).is_file() else None,
        "gate": gate_content(run, classes),
        "consistency": _json(run / layout.CONSISTENCY),
        "classes": [(c, classes.items[c.merge_into - 1] if c.merge_into else None) for c in classes],
        "training": [
            _training(run / s.name, s.title)
            for s in stages.STAGES
            if s.trained and (run / s.name / layout.LOSSES).is_file()
        ],
        "answers": compared(run / layout.EVALUATION, STAGE_TITLES),
        "legend": legend(run / layout.EVALUATION),
        "by_class": by_class(_json(run / layout.SCORES) or {}),
        "words": in_words(_json(run / layout.SCORES) or {}),
    }


def _training(stage: Path, title: str) -> dict[str, Any]:
    curves = [curve(name, points) for name, points in loss_curves(stage / layout.LOSSES)]
    return {"title": title, "curves": curves, "pictures": _pictures(stage / layout.OVERLAYS, last=True)}


def _pictures_of_recordings(stage: Path) -> list[tuple[str, str]]:
    """Some pictures of every recording in turn: (caption, data URI)."""
    columns = [sorted(folder.glob("*.jpg")) for folder in sorted(stage.glob("*/overlays"))]
    in_turn = [
        column[i] for i in range(max((len(c) for c in columns), default=0)) for column in columns if i < len(column)
    ]
    return [(f"{p.parent.parent.name} {p.stem}", data_uri(p)) for p in in_turn[:PICTURES]]


def _pictures(folder: Path, last: bool = False) -> list[tuple[str, str]]:
    paths = sorted(folder.glob("*.jpg"))
    return [(p.stem, data_uri(p)) for p in (paths[-PICTURES:] if last else paths[:PICTURES])]


def _json(path: Path) -> Any:
    return read_json(path) if path.is_file() else None
