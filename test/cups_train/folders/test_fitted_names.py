"""Names from an assignment that was fitted on labelled images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.errors import ResultError
from cups_train.folders.fitted_names import take_names
from cups_train.folders.names import read_names

CLASSES = Classes(
    tuple(
        PseudoClass(i, name, i == 4, (i, i, i))
        for i, name in enumerate(("class_01", "my lawn", "road?", "mover_01"), 1)
    )
).with_unknown((9, 9, 9))
FITTED = {
    "assignment": {"1": 7, "2": 8, "3": 7, "4": 24},
    "names": {"7": "road", "8": "sidewalk", "24": "person"},
}


def take(folder: Path, tree: Any) -> Classes:
    (folder / "fitted.json").write_text(json.dumps(tree))
    take_names(folder / "names.yaml", CLASSES, folder / "fitted.json", ())
    return read_names(folder / "names.yaml", CLASSES)


def test_classes_take_the_names_of_the_true_ones_that_they_stand_for(tmp_path: Path) -> None:
    found = take(tmp_path, FITTED)
    assert [c.name for c in found] == ["road", "my lawn", "road", "person", "unknown object"]
    assert found.merge_table().tolist() == [0, 1, 2, 1, 4, 5]
    assert "fitted.json" in (tmp_path / "names.yaml").read_text().splitlines()[0]


@pytest.mark.parametrize(
    "tree",
    [
        {"assignment": {"1": 7}},
        {"assignment": {"1": 9}, "names": {"7": "road"}},
        {"assignment": [1], "names": {}},
        {**FITTED, "assignment": {"12": 7}},
    ],
)
def test_a_file_that_does_not_fit_is_told_and_changes_nothing(tmp_path: Path, tree: Any) -> None:
    with pytest.raises(ResultError, match="fitted.json"):
        take(tmp_path, tree)
    assert not (tmp_path / "names.yaml").exists()
