"""The page's charts on figures written by hand, and the page itself on a run that has only labels."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cups_train.files import write_image, write_json
from cups_train.report.gate import HEIGHT, bars, instances_of_frames, split_line
from cups_train.report.page import write_report

TABLE = [{"class_id": 2, "n_in": 50, "n_all": 100, "n_mask": 9, "n_found": 9, "ratio": 0.5, "lift": 5.0, "supported": True, "isthing": True},
         {"class_id": 1, "n_in": 10, "n_all": 100, "n_mask": 9, "n_found": 9, "ratio": 0.1, "lift": 1.0, "supported": True, "isthing": False}]


def _split(rule: str) -> dict[str, Any]:
    return {"rule": rule, "things": [2], "mean_ratio": 0.1, "note": None, "table": TABLE}


def test_bars_and_their_line() -> None:
    chart = bars([(2, 0.5, "red", True), (1, 0.1, "blue", False)], 0.2)
    assert [(b["id"], b["y"], b["height"], b["marked"]) for b in chart["bars"]] == [(2, 0, HEIGHT, True), (1, 0.8 * HEIGHT, 0.2 * HEIGHT, False)]
    assert chart["line_y"] == pytest.approx(0.6 * HEIGHT) and chart["bars"][1]["x"] == chart["width"] / 2
    assert bars([], None)["bars"] == []


def test_the_line_lies_where_the_rule_split() -> None:
    assert split_line(_split("lift"), 2.16) == pytest.approx(0.216)
    assert split_line(_split("gap"), 2.16) == pytest.approx(0.3)  # half way between 0.5 and 0.1
    mixed = {**_split("given"), "table": [{**TABLE[0], "isthing": False}, {**TABLE[1], "isthing": True}]}
    assert split_line(mixed, 2.16) is None


def test_frames_by_their_objects(tmp_path: Path) -> None:
    for name, numbers in (("a", [0, 2, 2]), ("b", [11])):
        write_json(tmp_path / name / "labels.json", {"frames": [{"instances": [{}] * n} for n in numbers]})
    assert instances_of_frames(tmp_path) == [("0", 1), ("1", 0), ("2", 2), *((str(n), 0) for n in range(3, 8)), ("8 or more", 1)]


def test_the_page_shows_gate_sheet_and_consistency(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("labels: {psi: 2.16}\n")
    classes = [{"id": 1, "name": "road", "isthing": 0, "color": [1, 2, 3]}, {"id": 2, "name": "<car>", "isthing": 1, "color": [4, 5, 6]}]
    write_json(tmp_path / "classes.json", {"classes": classes})
    statistics = {"frames": 4, "frames_with_objects": 3, "instances_per_frame": 1.25, "void_share": 0.125, "thing_share": 0.25,
                  "thing_pixels_in_instances": 0.5, "split": _split("lift"), "gate": {"passed": False, "message": "too little moves", "warnings": []},
                  "classes": [{"id": c["id"], "name": c["name"], "isthing": c["isthing"], "area_share": 0.5, "instances": 3} for c in classes]}
    write_json(tmp_path / "labels" / "statistics.json", statistics)
    write_image(tmp_path / "semantics" / "classes.jpg", np.zeros((8, 8, 3), np.uint8))
    row = {"pq": 0.625, "sq": 0.7, "rq": 0.9, "pq_things": None, "pq_stuff": 0.625, "same_class": 0.875, "compared": 0.75}
    write_json(tmp_path / "consistency.json", {"labels": "", "frames": 3, "left_right": row, "next": row})
    page = write_report(tmp_path).read_text()
    for text in ("not passed</strong>: too little moves", "things from 21.6 %", "12.5 %", "1.25", "62.5", "87.5", "&lt;car&gt;", "data:image/jpeg"):
        assert text in page, text
    assert "<car>" not in page
