"""Damaged model folders are refused with one sentence; the whole thousand is `python benchmarks/models/fuzz.py`."""

import pytest

pytest.importorskip("onnx")

from benchmarks.models import fuzz
from benchmarks.models.damages import DAMAGES, make_model


def test_damaged_model_folders_are_refused_with_one_sentence():
    ends, faults = fuzz.fuzz(count=10 * len(DAMAGES), seed=1)
    assert faults == []
    for kind in (
        "cut_card",
        "flip_graph",
        "change_thresholds",
        "take_files",
        "other_outputs",
        "other_answers",
        "noise_as_graph",
        "other_json",
    ):
        assert ends[kind]["refused"] == 10, (kind, ends[kind])


def test_the_sound_folder_answers(tmp_path):
    make_model(tmp_path / "sound")
    assert fuzz.attempt(tmp_path / "sound") == "answers"
