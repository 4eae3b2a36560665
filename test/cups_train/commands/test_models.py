"""Damaged and foreign checkpoints and model folders, through the real command line: refused with one sentence, never
executed."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cups_train.files import write_json
from cups_train.training.state import load_state


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def damage(path, how, mark):
    if how == "pickle":
        path.write_bytes(pickle.dumps({"model": Payload(mark)}))
    elif how == "torch":
        torch.save({"model": Payload(mark)}, path)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "noise in the header":
        path.write_bytes(path.read_bytes()[:8] + b"\xff" * 100 + path.read_bytes()[108:])
    elif how == "another program's":
        save_file({"a": torch.zeros(2)}, path)
    else:
        save_file({"a": torch.zeros(2)}, path, {"format": "cups-network-1", "spec": how, "facts": "{}"})


DAMAGES = ("pickle", "torch", "cut off", "noise in the header", "another program's", "[]", "{}", "null")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_never_executed(how, drive, network, a_run, refused, tmp_path):
    path, mark = tmp_path / "c.safetensors", tmp_path / "executed"
    shutil.copyfile(network, path)
    damage(path, how, mark)
    assert str(path) in refused("predict", path, drive, "--out", tmp_path / "p")
    shutil.copyfile(path, a_run / "bootstrap" / "checkpoint.safetensors")
    for command in (
        ("predict", a_run, drive, "--out", tmp_path / "p"),
        ("export", a_run, "--out", tmp_path / "m"),
        ("self-train", a_run),
    ):
        assert "bootstrap" in refused(*command, after=command[0] == "self-train")
    assert (
        not mark.exists()
        and not (tmp_path / "p").exists()
        and not (tmp_path / "m").exists()
        and not (a_run / "self_train" / "done.json").exists()
    )


def test_a_checkpoint_under_another_name_is_refused(drive, refused, tmp_path):
    for name in ("c.pt", "c.pkl", "c.ckpt"):
        damage(tmp_path / name, "torch", tmp_path / "executed")
        assert ".safetensors" in refused("predict", tmp_path / name, drive, "--out", tmp_path / "p")
    assert not (tmp_path / "executed").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["pickle", "torch", "cut off"])
def test_a_damaged_training_state_is_never_executed(how, network, tmp_path, caplog):
    state = tmp_path / "state" / "000001"
    state.mkdir(parents=True)
    write_json(state / "state.json", {"step": 1, "networks": ["network"], "identity": {}})
    shutil.copyfile(network, state / "network.safetensors")
    torch.save({"state": torch.zeros(3000)}, state / "optimiser.pt")
    damage(state / "optimiser.pt", how, tmp_path / "executed")
    assert load_state(tmp_path, {}, "network", torch.device("cpu")) is None and "begins anew" in caplog.text
    assert not (tmp_path / "executed").exists()


def test_a_damaged_model_folder(drive, refused, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    shape = {"boxes": [8, 4], "scores": [8], "class_id": [8], "masks": [8, 28, 28], "semantic": [64, 96]}
    card = {
        "format": 1,
        "input": {"name": "image", "height": 64, "width": 96, "layout": "NHWC", "dtype": "uint8", "color": "rgb"},
        "outputs": [{"name": n, "shape": s, "dtype": "float32", "meaning": ""} for n, s in shape.items()],
        "classes": [{"id": 1, "name": "c1", "isthing": 0, "color": [9, 9, 9]}],
        "thresholds": {"score": 0.5},
        "sha256": "0" * 64,
    }
    noise = b"\x08\x07 not a graph"
    digest = "f3b0" + "0" * 60
    (model / "model.onnx").write_bytes(noise)
    for text, said in (
        ("{", "JSON"),
        ("[]", "format 1"),
        ('{"format": 7}', "format 1"),
        ('{"format": 1}', "complete"),
        (json.dumps({**card, "sha256": digest}), "sha256"),
        (json.dumps({**card, "classes": []}), "no classes"),
        (json.dumps({**card, "sha256": hashlib.sha256(noise).hexdigest()}), "ONNX Runtime refuses"),
    ):
        (model / "model.json").write_text(text)
        sentence = refused("predict", model, drive, "--out", tmp_path / "p")
        assert said in sentence and "export" in sentence, sentence
    (model / "model.onnx").unlink()
    (model / "model.json").write_text(json.dumps(card))
    assert "model.onnx" in refused("predict", model, drive, "--out", tmp_path / "p")
    assert not (tmp_path / "p").exists()
