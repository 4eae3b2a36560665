"""Where a training stands, on disk."""

from __future__ import annotations

import os

import pytest
import torch

from cups_ros.types import Classes, PseudoClass
from cups_train.network import NetworkSpec, PanopticNetwork
from cups_train.training import state as module
from cups_train.training.state import State, load_state, save_state

CLASSES = Classes((PseudoClass(1, "c1", False, (9, 9, 9)), PseudoClass(2, "c2", True, (8, 8, 8))))
CPU = torch.device("cpu")


def test_two_machines_with_one_process_id_write_beside_each_other(tmp_path, monkeypatch):
    beside = []

    def write(network, path, **facts):
        beside.append(path.parent.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")

    monkeypatch.setattr(os, "getpid", lambda: 7)
    monkeypatch.setattr(module, "save_checkpoint", write)
    for _ in range(2):
        save_state(tmp_path, State(3, {"network": None}, {}), {}, "bootstrap", "network")
    assert len(set(beside)) == 2 and [p.name for p in (tmp_path / "state").iterdir()] == ["000003"]


@pytest.mark.parametrize("name", ["state.json", "optimiser.pt", "network.safetensors"])
@pytest.mark.parametrize("text", ["", "{}", None])
def test_a_damaged_state_is_told_and_the_training_begins_anew(name, text, tmp_path, caplog):
    network = PanopticNetwork(NetworkSpec(CLASSES, 64, 96, "resnet18", "group", 16, 16, 1, 16, 16, 8))
    save_state(tmp_path, State(3, {"network": network}, {"lr": torch.ones(2)}), {"seed": 1}, "bootstrap", "network")
    found = load_state(tmp_path, {"seed": 1}, "network", CPU)
    assert found is not None and found.step == 3 and load_state(tmp_path, {"seed": 2}, None, CPU) is None
    path = tmp_path / "state" / "000003" / name
    path.unlink() if text is None else path.write_text(text)
    assert load_state(tmp_path, {"seed": 1}, "network", CPU) is None
    assert "begins anew" in caplog.text
