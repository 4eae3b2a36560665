"""The quality gate on figures written by hand."""

from __future__ import annotations

import pytest

from cups_train.config import LabelConfig
from cups_train.errors import GateError
from cups_train.pseudo_label.gate import gate


def test_gate_stops_collapse_dead_classes_and_no_things() -> None:
    good = {
        "frames": 10,
        "frames_with_objects": 5,
        "objects": 9,
        "instances": 9,
        "split": {"things": [1]},
        "classes": [{"name": f"class_{i}", "area_share": 0.1} for i in range(10)],
    }
    gate(good, LabelConfig())
    cases = [
        (
            {"classes": [{"name": "class_1", "area_share": 0.7}, {"name": "class_2", "area_share": 0.3}]},
            "found class_1 with 70%; raise",
        ),
        (
            {"classes": [{"name": f"c{i}", "area_share": 0.33 if i < 3 else 0.0} for i in range(9)]},
            "at least 5 classes .* found 3 of 9",
        ),
        ({"split": {"things": []}}, "found none in 9 objects of 10 frames"),
        ({"instances": 0}, "lower labels.thing_vote"),
    ]
    for change, message in cases:
        with pytest.raises(GateError, match=message):
            gate({**good, **change}, LabelConfig())
