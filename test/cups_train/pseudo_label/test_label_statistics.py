"""The figures of finished labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cups_train.config import LabelConfig
from cups_train.files import read_json
from cups_train.pseudo_label import Basis, check, make_labels
from cups_train.types import Work


def test_statistics(tmp_path: Path, write_inputs: Callable) -> None:
    basis = Basis([write_inputs()], tmp_path / "motion", tmp_path / "semantics")
    make_labels(basis, tmp_path / "labels", LabelConfig(), Work(0, 1, "cpu"))
    found = read_json(tmp_path / "labels" / "statistics.json")
    assert (found["frames"], found["frames_with_objects"], found["instances"], found["objects"]) == (12, 9, 9, 9)
    assert found["void_share"] == 0 and found["instances_per_frame"] == 0.75
    assert (
        found["n_all"][4] == 9 * (20 * 12 - 70 + 80)
        and found["n_in"][4] == 9 * 170
        and found["n_in"][5] == found["n_all"][5] == 9 * 70
    )
    assert (
        found["n_mask"] == [0, 0, 0, 0, 9, 0]
        and found["split"]["things"] == [5, 6]
        and found["split"]["rule"] == "lift"
    )
    assert found["gate"] == {"passed": True, "message": None, "warnings": []}
    assert sum(c["area_share"] for c in found["classes"]) == pytest.approx(1)
    assert "instances 9 (0.8 a frame)" in check(tmp_path / "labels", LabelConfig())
