"""The sheet of classes on maps written by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.files import write_image
from cups_train.folders.labels import class_path, write_class_of
from cups_train.folders.semantics import class_map_path
from cups_train.report.naming import EXAMPLES, write_naming_sheet

CLASSES = Classes(tuple(PseudoClass(i, f"class_{i:02d}", i == 3, (i, i, i)) for i in (1, 2, 3))).with_unknown((9, 9, 9))
CLASS_OF = (1, 2, 2, 3)
FRAMES = 10


@dataclass(frozen=True)
class Stamp:
    key: str


@dataclass(frozen=True)
class GreyRecording:
    """Grey images of ten frames."""

    name: str = "street"

    @property
    def stamps(self) -> list[Stamp]:
        return [Stamp(f"{i:06d}") for i in range(FRAMES)]

    def left(self, key: str) -> np.ndarray:
        return np.full((32, 64, 3), 90, np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Cluster 1 covers a quarter, 2 and 3 together five eighths, 4, a thing, an eighth."""
    clusters = np.repeat(np.array([1, 1, 2, 3, 3, 3, 3, 4], np.uint8), 8)[None].repeat(32, 0)
    for stamp in GreyRecording().stamps:
        write_image(class_map_path(tmp_path / "semantics" / "street", stamp.key), clusters)
        write_image(class_path(tmp_path / "labels" / "street", stamp.key), np.array([0, *CLASS_OF], np.uint8)[clusters])
    write_class_of(tmp_path / "labels", CLASS_OF, {})
    return tmp_path


def test_classes_go_by_size_with_eight_examples_each(run: Path) -> None:
    told = write_naming_sheet(run, [GreyRecording()], CLASSES)  # type: ignore[list-item]
    page = (run / "names.html").read_text()
    assert re.findall(r'id="class-(\d)"', page) == ["2", "1", "3"] and "62.50 %" in page and "names.yaml" in told
    sections = page.split("<section")[1:]
    assert [section.split("<details")[0].count("<img") for section in sections] == [EXAMPLES] * 3


def test_each_class_shows_the_clusters_that_it_was_joined_from_largest_first(run: Path) -> None:
    write_naming_sheet(run, [GreyRecording()], CLASSES)  # type: ignore[list-item]
    page = (run / "names.html").read_text()
    assert "2 clusters" in page
    assert re.findall(r"<figcaption>(\d), ([\d.]+) %", page) == [
        ("3", "50.00"),
        ("2", "12.50"),
    ]
    assert "labels.cut" in page


def test_names_that_a_person_wrote_stay_until_the_labels_are_others(run: Path) -> None:
    write_naming_sheet(run, [GreyRecording()], CLASSES)  # type: ignore[list-item]
    text = (run / "names.yaml").read_text()
    (run / "names.yaml").write_text(text.replace("class_01", "lawn"))
    write_naming_sheet(run, [GreyRecording()], CLASSES)  # type: ignore[list-item]
    assert "lawn" in (run / "names.yaml").read_text()
