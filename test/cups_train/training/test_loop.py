"""Prefetching, the optimiser's step, the log and the saved state."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from cups_train.errors import CupsError
from cups_train.training.batch import image_batch, prefetch, target_of
from cups_train.training.journal import Journal
from cups_train.training.optimise import Optimisation, learning_rate, make_optimiser
from cups_train.training.sample import Sample


def test_prefetch_keeps_order_and_works_ahead():
    made = []

    def make(step: int, row: int):
        made.append(step)
        return step, row

    with ThreadPoolExecutor(2) as threads:
        batches = prefetch(make, range(3, 9), 2, threads)
        first = next(batches)
        deadline = time.monotonic() + 5
        while len(made) < 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert set(made) == {3, 4, 5}  # two steps ahead, not more
        assert [first, *batches] == [(step, [(step, 0), (step, 1)]) for step in range(3, 9)]


def test_prefetch_passes_errors_on():
    def make(step: int, row: int):
        raise CupsError("no frame")

    with ThreadPoolExecutor(1) as threads, pytest.raises(CupsError, match="no frame"):
        list(prefetch(make, range(3), 1, threads))
    assert threading.active_count() < 20


def test_targets_and_images():
    instance = np.zeros((6, 8), np.uint16)
    instance[1:5, 2:6], instance[0, 7] = 1, 2
    sample = Sample(np.full((6, 8, 3), 51, np.uint8), np.full((6, 8), 255, np.uint8), instance, np.array([4, 1]))
    target = target_of(sample, torch.device("cpu"))
    assert target.boxes.tolist() == [[2, 1, 6, 5], [7, 0, 8, 1]] and target.thing.tolist() == [4, 1]
    assert target.masks.sum(dim=(1, 2)).tolist() == [16, 1] and target.masks.dtype == torch.bool
    assert target.semantic.dtype == torch.int64 and target.semantic.unique().tolist() == [255]
    images = image_batch([sample.image, sample.image], torch.device("cpu"))
    assert images.shape == (2, 3, 6, 8) and torch.allclose(images, torch.tensor(0.2))


def test_no_weight_decay_on_norms_and_warmup():
    network = nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    network[3].requires_grad_(False)
    groups = make_optimiser(network, 1e-3, 0.1).param_groups
    assert [(g["weight_decay"], len(g["params"])) for g in groups] == [(0.1, 2), (0.0, 4)]
    assert [learning_rate(1.0, 4, step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert learning_rate(1.0, 0, 0) == 1.0
    assert [learning_rate(1.0, 0, step, (2, 6)) for step in range(6)] == [1, 1, 1, 0.75, 0.5, 0.25]
    assert [learning_rate(1.0, 0, step, (0, 4), cosine=True) for step in range(4)] == pytest.approx(
        [1, 0.853553, 0.5, 0.146447], abs=1e-5
    )


def test_step_clips_and_refuses_what_is_not_finite():
    weight = nn.Parameter(torch.ones(2))
    optimisation = Optimisation(torch.optim.SGD([weight], lr=9.0), clip=0.5)
    values = optimisation.step(lambda: {"a": (weight * torch.tensor([3.0, 4.0])).sum(), "b": weight.sum() * 0}, lr=1.0)
    assert values == pytest.approx({"loss": 7.0, "gradient": 5.0, "a": 7.0, "b": 0.0})
    assert weight.detach().tolist() == pytest.approx([0.7, 0.6])  # gradient (3, 4) clipped to norm 0.5
    with pytest.raises(CupsError, match="lower the learning rate"):
        for _ in range(10):
            optimisation.step(lambda: {"a": (weight * float("nan")).sum()}, lr=1.0)
    assert weight.detach().tolist() == pytest.approx([0.7, 0.6])


def test_journal_drops_what_a_killed_run_wrote_too_much(tmp_path):
    journal = Journal(tmp_path, 10)
    journal.start(0)
    for step in range(1, 6):
        journal.step(step, {"loss": 1.0 / step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    again = Journal(tmp_path, 10)
    again.start(3)
    again.step(4, {"loss": 0.5})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and rows[3]["loss"] == 0.5 and "seconds" in rows[3]
    assert "step 4/10  loss 0.5" in (tmp_path / "train.log").read_text()
    Journal(tmp_path / "other", 10, active=False).step(1, {"loss": 1.0})
    assert not (tmp_path / "other").exists()
