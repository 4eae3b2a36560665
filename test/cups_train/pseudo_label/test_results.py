"""Finished labels as result folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cups_train.config import LabelConfig
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.pseudo_label import Basis, export_results, make_labels
from cups_train.types import Work


def test_result_folders(tmp_path: Path, write_inputs: Callable) -> None:
    recordings = [write_inputs("a"), write_inputs("b", frames=6)]
    basis = Basis(recordings, tmp_path / "motion", tmp_path / "semantics")
    classes = make_labels(basis, tmp_path / "labels", LabelConfig(), Work(0, 1, "cpu"))
    assert export_results(tmp_path / "labels", classes, recordings, tmp_path / "both") == [
        tmp_path / "both" / "a",
        tmp_path / "both" / "b",
    ]
    assert export_results(tmp_path / "labels", classes, recordings[:1], tmp_path / "one") == [tmp_path / "one"]
    tree = json.loads((tmp_path / "one" / "panoptic.json").read_text())
    assert len(tree["images"]) == len(tree["annotations"]) == 12 and tree["images"][11] == {
        "id": 11,
        "file_name": "000011.png",
        "width": 80,
        "height": 48,
        "stamp_ns": 1011,
    }
    things = [s for s in tree["annotations"][0]["segments_info"] if s["category_id"] == 5]
    assert [(s["score"], s["track_id"], s["area"]) for s in things] == [(0.75, 340, 308)]
    again = evaluate(tmp_path / "one", tmp_path / "one", EvaluationOptions(no_assignment=True))
    assert again.all.pq == 1 and again.ap == 1 and again.void_share == 0
