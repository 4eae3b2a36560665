"""The teacher follows the student."""

from __future__ import annotations

import pytest
import torch

from cups_train.network import build_network
from cups_train.self_train.teacher import momentum_for
from cups_train.training.average import follow


def test_momentum(spec):
    student, teacher = (build_network(spec, seed=seed) for seed in (1, 2))
    with torch.no_grad():
        for network, value in ((student, 1.0), (teacher, 0.0)):
            for parameter in network.parameters():
                parameter.fill_(value)
    student.backbone.requires_grad_(False)
    for _ in range(7):
        follow(teacher, student, 0.999)
    assert torch.allclose(teacher.semantic_head.predictor.bias, torch.tensor(1 - 0.999**7), atol=1e-7)
    assert next(teacher.backbone.parameters()).abs().max() == 0
    assert momentum_for(1500, None) == pytest.approx(0.999) and momentum_for(60, None) ** 60 == pytest.approx(
        0.999**1500
    )
    assert momentum_for(60, 0.5) == 0.5
