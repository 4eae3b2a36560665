"""The refinement learns without labels what a spoiled guess hides, and resumes to the same bytes."""

import importlib

import numpy as np
import pytest
import torch

from cups_train.config import MotionConfig
from cups_train.errors import CupsError, ModelError
from cups_train.flow.learned.checkpoint import save
from cups_train.flow.learned.weights import FILE, with_weights
from cups_train.flow.learned.windows import choose, load, make_batch, prepare
from cups_train.flow.open import matcher_facts, scene_flow
from cups_train.training import single
from cups_train.types import Work

training = importlib.import_module("cups_train.flow.learned.training")


def test_training_without_labels_mends_spoiled_guesses(tmp_path, recorded):
    """Thirty steps on right guesses: what is spoiled in the next thirty, and never shown, comes out better than it went
    in."""
    files = list(prepare(choose([recorded(4)], tmp_path), 0.15, Work(0, 1, "cpu")))
    network = training.new_refiner(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    before, after = [], []
    for step in range(36):
        batch = make_batch([load(files[step % 3])], (64, 96), np.random.default_rng(step))
        if step < 30:
            optimizer.zero_grad()
            sum(training.step_losses(network, batch, torch.Generator().manual_seed(step)).values()).backward()
            optimizer.step()
            continue
        guessed, trip = training.spoil(batch, torch.Generator().manual_seed(step))
        with torch.no_grad():
            mended = network(batch.first, batch.second, guessed, trip)
        before.append((guessed - batch.guess).norm(dim=1).mean().item())
        after.append((mended - batch.guess).norm(dim=1).mean().item())
    assert np.mean(after) < 0.9 * np.mean(before)


def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch, recorded):
    monkeypatch.setattr(single, "SAVE_EVERY", 2)
    monkeypatch.setattr(training, "CROP", (64, 96))
    work = Work(1, 1, "cpu")
    config = MotionConfig(flow="self", flow_steps=5)
    whole = training.train_flow([recorded(3)], tmp_path / "whole", config, work)
    draw = training.draw

    def interrupted(files, seed, step):
        if step == 3:
            raise KeyboardInterrupt
        return draw(files, seed, step)

    monkeypatch.setattr(training, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train_flow([recorded(3)], tmp_path / "parts", config, work)
    assert not (tmp_path / "parts" / FILE).exists()
    monkeypatch.setattr(training, "draw", draw)
    training.train_flow([recorded(3)], tmp_path / "parts", config, work)
    parts = with_weights(config, tmp_path / "parts").flow_weights
    assert parts.read_bytes() == whole.read_bytes() and not (tmp_path / "parts" / "flow").exists()
    before = parts.stat().st_mtime_ns
    assert training.train_flow([recorded(3)], tmp_path / "parts", config, work).stat().st_mtime_ns == before


def test_scene_flow_by_the_network(tmp_path, frames):
    path = tmp_path / FILE
    save(training.new_refiner(0), path, {"seed": 0}, ["flat"])
    now, after = frames(2)
    config = MotionConfig(flow="self", flow_weights=path)
    flow, plain = scene_flow(now, after, config), scene_flow(now, after, MotionConfig())
    good = flow.flow_ok & flow.disparity_ok
    assert good.mean() > 0.8
    assert np.median(flow.flow[good], 0) == pytest.approx([3, 1], abs=0.1) and np.median(
        flow.disparity[good]
    ) == pytest.approx(6, abs=0.1)
    assert np.abs(flow.flow - plain.flow).max() < 1e-3  # untrained, it is its guess
    assert matcher_facts(config)["licence"] == "trained on these recordings"


def test_guesses_are_made_by_as_many_workers_as_are_told(tmp_path, monkeypatch, recorded):
    asked = []

    def stop(pairs, max_disparity, work):
        asked.append(work.workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "prepare", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train_flow([recorded(3)], tmp_path, MotionConfig(flow="self"), Work(1, 3, "cpu"))
    assert asked == [3]


def test_one_frame_teaches_nothing(tmp_path, recorded):
    with pytest.raises(CupsError, match="two frames in a row"):
        training.train_flow([recorded(1)], tmp_path, MotionConfig(flow="self"), Work(0, 1, "cpu"))
    with pytest.raises(ModelError, match="flow.safetensors"):  # looked up, not trained
        with_weights(MotionConfig(flow="self"), tmp_path)
