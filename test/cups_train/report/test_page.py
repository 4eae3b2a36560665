"""The page on runs that have only some of the stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.evaluation.protocols import MEANINGS
from cups_train.files import write_image, write_json
from cups_train.report.page import write_report

CLASSES = [
    {"id": 1, "name": "road", "isthing": 0, "color": [1, 2, 3]},
    {"id": 2, "name": "<car>", "isthing": 1, "color": [4, 5, 6]},
]
STATISTICS = {
    "frames": 4,
    "frames_with_objects": 3,
    "instances_per_frame": 1.25,
    "void_share": 0.125,
    "thing_share": 0.25,
    "thing_pixels_in_instances": 0.5,
    "gate": {"passed": False, "message": "too little moves", "warnings": []},
    "classes": [{**c, "area_share": 0.5, "instances": 3} for c in CLASSES],
}
AGREEMENT = {
    "pq": 0.625,
    "sq": 0.7,
    "rq": 0.9,
    "pq_things": None,
    "pq_stuff": 0.625,
    "same_class": 0.875,
    "compared": 0.75,
}


def test_the_page_shows_gate_sheet_and_consistency(tmp_path: Path, split: Callable[[str], dict[str, Any]]) -> None:
    (tmp_path / "config.yaml").write_text("labels: {psi: 2.16}\n")
    write_json(tmp_path / "classes.json", {"classes": CLASSES})
    write_json(tmp_path / "labels" / "statistics.json", {**STATISTICS, "split": split("lift")})
    write_image(tmp_path / "semantics" / "classes.jpg", np.zeros((8, 8, 3), np.uint8))
    kept = [{"frames": 8, "before": 0.513, "after": 0.957}]
    consistency = {"labels": "", "frames": 3, "left_right": AGREEMENT, "next": AGREEMENT, "kept": kept}
    write_json(tmp_path / "consistency.json", consistency)
    page = write_report(tmp_path).read_text()
    for text in (
        "not passed</strong>: too little moves",
        "things from 21.6 %",
        "12.5 %",
        "1.25",
        "62.5",
        "87.5",
        "over 8 frames",
        "51.3",
        "95.7",
        "&lt;car&gt;",
        "data:image/jpeg",
    ):
        assert text in page, text
    assert "<car>" not in page


def test_scores_are_shown_in_the_order_of_their_table_with_what_they_mean(
    tmp_path: Path, figures: Callable[..., dict[str, Any]]
) -> None:
    write_json(tmp_path / "metrics.json", {"labels": {"majority": figures(0.444), "strict": figures(0.111)}})
    page = write_report(tmp_path).read_text()
    assert page.index("<h3>Strict</h3>") < page.index("11.1") < page.index("44.4") and "stage 1: pseudo labels" in page
    assert all(MEANINGS[matching][1:] in page for matching in ("strict", "majority"))
