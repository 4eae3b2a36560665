"""The optimiser's step and the learning rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cups_train.errors import CupsError
from cups_train.training.optimise import Optimisation, cosine, learning_rate, make_optimiser


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
    optimisation = Optimisation(torch.optim.SGD([weight], lr=9.0), 0.5, "lower the learning rate")
    values = optimisation.step(lambda: {"a": (weight * torch.tensor([3.0, 4.0])).sum(), "b": weight.sum() * 0}, lr=1.0)
    assert values == pytest.approx({"loss": 7.0, "gradient": 5.0, "a": 7.0, "b": 0.0})
    assert weight.detach().tolist() == pytest.approx([0.7, 0.6])  # gradient (3, 4) clipped to norm 0.5
    with pytest.raises(CupsError, match="lower the learning rate"):
        for _ in range(10):
            optimisation.step(lambda: {"a": (weight * float("nan")).sum()}, lr=1.0)
    assert weight.detach().tolist() == pytest.approx([0.7, 0.6])


def test_learning_rate_warms_up_and_falls():
    rates = [cosine(step, 200, 1.0) for step in range(200)]
    assert rates[0] < 0.05 and max(rates) > 0.9 and rates[-1] < 0.03 and rates.index(max(rates)) < 40
