"""A small network to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cups_train.network import NetworkSpec, build_network, save_checkpoint


@pytest.fixture(scope="package")
def spec(make_classes) -> NetworkSpec:
    return NetworkSpec(make_classes(), 64, 128, "resnet18", "group", 16, 16, 1, 16, 16, 8)


@pytest.fixture(scope="package")
def start(tmp_path_factory, spec) -> Path:
    """A random network whose heads are bold enough to find something."""
    network = build_network(spec, seed=3)
    with torch.no_grad():
        for head in network.box_heads:
            head.cls_score.weight.mul_(30)
        network.mask_head.predictor.weight.mul_(100)
    path = tmp_path_factory.mktemp("start") / "checkpoint.safetensors"
    save_checkpoint(network, path)
    return path
