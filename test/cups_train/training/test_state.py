"""Where a training stands, on disk."""

from __future__ import annotations

import os

from cups_train.training import state as module
from cups_train.training.state import State, save_state


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
