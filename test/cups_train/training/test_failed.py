"""A step without a finite gradient is kept, and leaves no trace."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.errors import CupsError
from cups_train.network import LossOptions, NetworkSpec, build_network
from cups_train.training.failed import keep, read, replay
from cups_train.training.sample import Sample

SPEC = NetworkSpec(
    Classes(tuple(PseudoClass(i, f"c{i}", i == 2, (i, i, i)) for i in (1, 2))),
    64,
    96,
    "resnet18",
    "batch",
    16,
    16,
    1,
    16,
    16,
    8,
)


def batch() -> list[Sample]:
    random = np.random.default_rng(0)
    instance = np.zeros((64, 96), np.uint16)
    instance[10:40, 20:60] = 1
    semantic = np.where(instance > 0, 0, 1).astype(np.uint8)
    return [Sample(random.integers(0, 256, (64, 96, 3), np.uint8), semantic, instance, np.array([0])) for _ in range(2)]


def test_a_batch_comes_back_as_it_was(tmp_path: Path) -> None:
    samples = batch()
    found = read(keep(tmp_path, 7, build_network(SPEC, seed=1), samples))
    for before, after in zip(samples, found, strict=True):
        for name in ("image", "semantic", "instance", "thing"):
            assert np.array_equal(getattr(before, name), getattr(after, name))


def test_the_losses_are_computed_again_by_the_network_that_met_it(tmp_path: Path) -> None:
    network = build_network(SPEC, seed=1)
    path = keep(tmp_path, 7, network, batch())
    first, second = (replay(path, LossOptions(rois=16, rpn_samples=16), seed=3) for _ in range(2))
    assert first == second and all(math.isfinite(value) for value in first.values())
    network.semantic_head.predictor.bias.data[0] = math.nan
    assert math.isnan(replay(keep(tmp_path, 8, network, batch()), LossOptions(rois=16), seed=3)["semantic"])


def test_another_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no batch")
    with pytest.raises(CupsError, match="the batch of a failed step"):
        read(tmp_path / "x.npz")
