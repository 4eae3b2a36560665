import importlib
import shutil

import numpy as np
import pytest

from cups_ros.model import load_model
from cups_train.config import ExportConfig
from cups_train.errors import CupsError, ModelError
from cups_train.export.model_folder import write_model_folder


def test_the_model_folder_runs_without_the_workshop(exported):
    model = load_model(exported[1] / "model")
    panoptic = model.infer(np.zeros((50, 120, 3), np.uint8))
    assert panoptic.class_id.shape == (50, 120) and set(np.unique(panoptic.class_id)) <= {0, 1, 2, 3, 4, 5}


def test_what_is_no_model_folder_is_not_replaced(exported, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CupsError, match="found notes.txt there"):
        write_model_folder(exported[1] / "checkpoint.safetensors", tmp_path, ExportConfig(), "demo")


def test_a_failed_export_leaves_the_old_folder(exported, tmp_path, monkeypatch):
    shutil.copytree(exported[1] / "model", tmp_path / "model")

    def refuse(*_):
        raise ModelError("no")

    monkeypatch.setattr(importlib.import_module("cups_train.export.model_folder"), "write_graph", refuse)
    with pytest.raises(ModelError):
        write_model_folder(exported[1] / "checkpoint.safetensors", tmp_path / "model", ExportConfig(), "demo")
    assert load_model(tmp_path / "model").name == "demo" and [p.name for p in tmp_path.iterdir()] == ["model"]
