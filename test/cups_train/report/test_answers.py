"""Pictures of unseen images, and figures by true class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cups_train.files import write_image, write_json
from cups_train.report.answers import by_class, compared, legend


def row(name: str, isthing: int, tp: int, fp: int, fn: int, pq: float) -> dict[str, Any]:
    return {"name": name, "isthing": isthing, "tp": tp, "fp": fp, "fn": fn, "pq": pq}


def test_things_come_first_then_what_is_there_most() -> None:
    labels = [row("road", 0, 9, 0, 1, 0.9), row("car", 1, 3, 1, 7, 0.25), row("bus", 1, 0, 2, 0, 0.0)]
    network = [row("road", 0, 10, 0, 0, 0.95), row("car", 1, 5, 0, 5, 0.5), row("bus", 1, 0, 0, 0, 0.0)]
    found = by_class({"labels": {"strict": {"per_class": labels}}, "bootstrap": {"strict": {"per_class": network}}})
    assert [(r.name, r.there) for r in found] == [("car", 10), ("road", 10)]
    assert found[0].found == ("3 (1 false)", "5 (0 false)") and found[0].pq == (25, 50)


def test_pictures_stand_in_order_under_their_titles(tmp_path: Path) -> None:
    for name in ("10_self_train", "0_image", "1_truth", "2_labels"):
        write_image(tmp_path / "pictures" / "street_000000" / f"{name}.jpg", np.zeros((4, 4, 3), np.uint8))
    write_json(tmp_path / "pictures" / "legend.json", [["road", [1, 2, 3]]])
    ((caption, row),) = compared(tmp_path, {"labels": "pseudo labels"})
    assert caption == "street_000000" and row[0].uri.startswith("data:image/jpeg")
    assert [p.title for p in row] == ["image", "truth (no training reads it)", "pseudo labels", "self_train"]
    assert legend(tmp_path) == [("road", "rgb(1, 2, 3)")]


def test_a_run_without_truth_has_none(tmp_path: Path) -> None:
    assert compared(tmp_path, {}) == [] and legend(tmp_path) == [] and by_class({}) == []
