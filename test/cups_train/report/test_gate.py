"""The charts of the quality gate on figures written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cups_train.files import write_json
from cups_train.report.gate import HEIGHT, Bar, bars, instances_of_frames, split_line


def test_bars_and_their_line() -> None:
    chart = bars([Bar(2, 0.5, "red", True), Bar(1, 0.1, "blue", False)], 0.2)
    assert [(b["id"], b["y"], b["height"], b["marked"]) for b in chart["bars"]] == [
        (2, 0, HEIGHT, True),
        (1, 0.8 * HEIGHT, 0.2 * HEIGHT, False),
    ]
    assert chart["line_y"] == pytest.approx(0.6 * HEIGHT) and chart["bars"][1]["x"] == chart["width"] / 2
    assert bars([], None)["bars"] == []


def test_the_line_lies_where_the_rule_split(split: Callable[[str], dict[str, Any]]) -> None:
    assert split_line(split("lift"), 2.16) == pytest.approx(0.216)
    assert split_line(split("gap"), 2.16) == pytest.approx(0.3)  # half way between 0.5 and 0.1
    given = split("given")
    first, second = given["table"]
    mixed = {**given, "table": [{**first, "isthing": False}, {**second, "isthing": True}]}
    assert split_line(mixed, 2.16) is None


def test_frames_by_their_objects(tmp_path: Path) -> None:
    for name, numbers in (("a", [0, 2, 2]), ("b", [11])):
        write_json(tmp_path / name / "labels.json", {"frames": [{"instances": [{}] * n} for n in numbers]})
    assert instances_of_frames(tmp_path) == [
        ("0", 1),
        ("1", 0),
        ("2", 2),
        *((str(n), 0) for n in range(3, 8)),
        ("8 or more", 1),
    ]
