"""What a run says while it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cups_ros.types import Classes
from cups_train.config import Config
from cups_train.folders import layout, stages
from cups_train.folders.run import RunFolder
from cups_train.story import TimeLeft, outcome, told

SHARES = {"motion": 100.0, "labels": 60.0, "bootstrap": 300.0}


def finished(tmp_path: Path) -> RunFolder:
    """A run whose stages hold as much as the story reads."""
    folder = RunFolder.create(tmp_path / "run", Config())
    for name, objects in (("a", [[{}], [{}, {}]]), ("b", [[], []])):
        path = folder.stage("motion") / name / layout.MOTION
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"frames": [{"objects": found} for found in objects]}))
    folder.stage("labels").mkdir()
    (folder.stage("labels") / layout.STATISTICS).write_text(json.dumps({"instances": 3, "frames": 4}))
    colors = ([1, 2, 3], [4, 5, 6], [7, 8, 9])
    rows = [
        {"id": n + 1, "name": name, "isthing": int(name == "car?"), "color": colors[n]}
        for n, name in enumerate(("road?", "class_02", "car?"))
    ]
    folder.write_classes(Classes.from_json(rows))
    folder.publish_classes()
    folder.stage("bootstrap").mkdir()
    losses = "".join(json.dumps({"step": n, "loss": 4.0 - n}) + "\n" for n in range(3))
    (folder.stage("bootstrap") / layout.LOSSES).write_text(losses)
    return folder


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("motion", "3 moving objects in 4 frames; 2 frames hold none"),
        (
            "labels",
            "2 classes of stuff and 1 kinds of things; by geometry and motion: road? car?; 3 objects outlined in "
            "4 frames",
        ),
        ("bootstrap", "loss 4.00 to 2.00 in 3 steps"),
    ],
)
def test_what_a_stage_found_is_read_from_its_files(tmp_path: Path, stage: str, words: str) -> None:
    assert outcome(finished(tmp_path), stage) == words


def test_a_stage_is_told_before_and_after(tmp_path: Path) -> None:
    lines: list[str] = []
    with told(finished(tmp_path), "motion", lines.append):
        assert len(lines) == 1
    assert stages.BY_NAME["motion"].title in lines[0] and "3 moving objects" in lines[1]


def test_time_left_goes_by_what_the_stages_before_took() -> None:
    left = TimeLeft(SHARES)
    assert left.seconds() == 460 and "2 quiet cores" in left.words()
    left.ended("motion", 200.0)  # half as fast as where the shares were measured
    assert left.seconds() == 720 and left.words() == "about 12 min left"


def test_a_stage_that_was_kept_says_nothing_about_speed() -> None:
    left = TimeLeft(SHARES)
    left.ended("motion", 0.1)
    assert left.seconds() == 360
