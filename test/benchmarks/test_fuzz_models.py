"""Damaged model folders are refused with one sentence; the whole thousand is `python benchmarks/fuzz_models.py`."""
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("onnx")


def load_benchmark():
    spec = importlib.util.spec_from_file_location("fuzz_models", Path(__file__).parents[2] / "benchmarks" / "fuzz_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_model_folders_are_refused_with_one_sentence():
    benchmark = load_benchmark()
    ends, faults = benchmark.fuzz(count=10 * len(benchmark.DAMAGES), seed=1)
    assert faults == []
    for kind in ("cut_card", "flip_graph", "change_thresholds", "take_files", "other_outputs", "other_answers", "noise_as_graph", "other_json"):
        assert ends[kind]["refused"] == 10, (kind, ends[kind])


def test_the_sound_folder_answers(tmp_path):
    benchmark = load_benchmark()
    benchmark.make_model(tmp_path / "sound")
    assert benchmark.attempt(tmp_path / "sound") == "answers"
