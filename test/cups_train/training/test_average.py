"""The slow copy of a network."""

import pytest
import torch

from cups_ros.types import Classes, PseudoClass
from cups_train.network import NetworkSpec, build_network
from cups_train.training.average import follow, momentum_at, still_copy

SPEC = NetworkSpec(
    Classes((PseudoClass(1, "c1", False, (1, 1, 1)),)),
    64,
    96,
    "own",
    "batch",
    16,
    semantic_head="direct",
    widths=(8, 8, 8, 8),
)


def test_weights_and_statistics_follow_and_counters_are_taken_over():
    fast, slow = build_network(SPEC, seed=1), still_copy(build_network(SPEC, seed=2))
    fast.backbone.stem[0][1].num_batches_tracked.fill_(9)
    before = {name: tensor.clone() for name, tensor in slow.state_dict().items()}
    for value in (fast.backbone.stem[0][1].running_mean, fast.semantic_head.predictor.weight):
        value.data.fill_(3.0)
    follow(slow, fast, 0.75)
    after = slow.state_dict()
    for name in ("backbone.stem.0.1.running_mean", "semantic_head.predictor.weight"):
        assert torch.allclose(after[name], 0.75 * before[name] + 0.75)
    assert int(after["backbone.stem.0.1.num_batches_tracked"]) == 9
    assert not slow.training and not any(p.requires_grad for p in slow.parameters())


def test_an_average_forgets_its_start():
    assert momentum_at(0, 0.99) == pytest.approx(0.1) and momentum_at(5000, 0.99) == 0.99
