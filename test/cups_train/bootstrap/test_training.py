"""Stage 2 on toy frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from cups_train.bootstrap import LabelledRecordings, bootstrap
from cups_train.config import BootstrapConfig, NetworkConfig
from cups_train.network import PanopticNetwork
from cups_train.training.failed import read
from cups_train.training.state import load_state
from cups_train.types import Work

TINY = NetworkConfig(
    backbone="resnet18",
    channels=16,
    hidden=16,
    mask_convs=1,
    semantic_channels=16,
    proposals=16,
    detections=8,
    height=64,
    width=128,
)
SHORT = BootstrapConfig(
    steps=4,
    batch=2,
    lr=2e-3,
    rois=16,
    rpn_samples=32,
    self_enhanced_from=2,
    paste_score=0.0,
    checkpoint_every=2,
    pictures_every=4,
    jitter=(1.0, 1.0),
    copy_paste=2,
    decay=0,
    warmup=0,
    self_enhanced_every=1,
)


def run(labelled: LabelledRecordings, out: Path, config: BootstrapConfig) -> Path:
    return bootstrap(labelled, out, TINY, config, Work(7, 1, "cpu"))


def test_a_killed_run_ends_like_one_that_was_not(labelled, tmp_path):
    whole = run(labelled, tmp_path / "whole", SHORT)
    run(labelled, tmp_path / "parts", SHORT.model_copy(update={"steps": 2}))
    (tmp_path / "parts" / "state" / ".123.000003").mkdir()  # what a kill while writing leaves
    resumed = run(labelled, tmp_path / "parts", SHORT)
    first, second = load_file(whole), load_file(resumed)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    rows = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [row["step"] for row in rows[1]] == [1, 2, 3, 4]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    assert rows[0][3]["sources"] > 0 and (tmp_path / "whole" / "overlays" / "000004.jpg").is_file()
    assert "goes on after step 2" in (tmp_path / "parts" / "train.log").read_text()
    assert [p.name for p in (tmp_path / "parts" / "state").iterdir()] == ["000004"]
    resumed.unlink()
    assert (
        run(labelled, tmp_path / "parts", SHORT) == resumed and resumed.is_file()
    )  # nothing left to do but to publish
    assert load_state(tmp_path / "parts", {"other": 1}, "network", torch.device("cpu")) is None


def test_some_steps_lower_the_loss(labelled, tmp_path):
    run(
        labelled,
        tmp_path,
        SHORT.model_copy(update={"steps": 14, "self_enhanced_from": 99, "checkpoint_every": 99, "copy_paste": 1}),
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:3])


def test_a_step_without_a_finite_gradient_is_kept_and_leaves_no_trace(labelled, tmp_path, monkeypatch):
    """One poisoned step: the training goes on, and ends with statistics that are numbers."""
    losses = PanopticNetwork.losses

    def poisoned(network, images, targets, options):
        images = images * (float("nan") if len(calls) == 1 else 1)
        calls.append(1)
        return losses(network, images, targets, options)

    calls = []
    monkeypatch.setattr(PanopticNetwork, "losses", poisoned)
    tiny = TINY.model_copy(update={"norm": "batch"})
    checkpoint = bootstrap(labelled, tmp_path / "out", tiny, SHORT, Work(7, 1, "cpu"))
    assert all(torch.isfinite(tensor).all() for tensor in load_file(checkpoint).values())
    kept = tmp_path / "out/failed/000001.npz"
    assert len(read(kept)) == 2 and kept.with_suffix(".safetensors").exists()
    assert f"its batch is {kept}" in (tmp_path / "out/train.log").read_text()
