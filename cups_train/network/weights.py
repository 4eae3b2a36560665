"""Backbone weights from a file: torchvision, DINO or Detectron2 keys; read as plain tensors, never unpickled as
objects."""

from __future__ import annotations

import logging
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cups_train.errors import ModelError, first_line
from cups_train.network.model import PanopticNetwork
from cups_train.network.spec import NetworkSpec

logger = logging.getLogger(__name__)
ENDING = r"(conv\d|bn\d|downsample\.\d)\.(weight|bias|running_mean|running_var)$"
TORCHVISION_KEY = re.compile(rf"(?:^|\.)((?:layer[1-4]\.\d+\.)?{ENDING})")
DETECTRON_KEY = re.compile(
    r"(?:^|\.)(?:stem|res([2-5])\.(\d+))\.(conv\d|shortcut)\.(?:(norm)\.)?(weight|bias|running_mean|running_var)$"
)


def build_network(spec: NetworkSpec, weights: Path | None = None, seed: int = 0) -> PanopticNetwork:
    """A network with random heads, and a backbone from scratch or from `weights`. Leaves torch's random state as it
    was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PanopticNetwork(spec)
    if weights is not None:
        load_backbone(network, weights)
    return network


def load_backbone(network: PanopticNetwork, path: Path) -> None:
    """Fill the ResNet from a file. Raises ModelError, in one sentence, where it is not safe to read or does not fit."""
    body = network.backbone.body
    wanted = {name: tensor for name, tensor in body.state_dict().items() if not name.endswith("num_batches_tracked")}
    found = {key: tensor for name, tensor in read_tensors(path).items() if (key := torchvision_key(name)) in wanted}
    missing = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    if missing:
        raise ModelError(
            f"expected weights of {network.spec.backbone} with {network.spec.norm} norm in {path}, found none that fit "
            f"{missing[0]} and {len(missing) - 1} more (network.weights, network.backbone, network.norm)"
        )
    body.load_state_dict(found, strict=False)
    logger.info(
        "backbone weights from %s; labels must have had no part in them for the claim of learning without labels", path
    )


def torchvision_key(name: str) -> str | None:
    """torchvision's name of a ResNet tensor in any of the three namings; None for others (heads, fc)."""
    if match := DETECTRON_KEY.search(name):
        stage, block, part, norm, leaf = match.groups()
        prefix = f"layer{int(stage) - 1}.{block}." if stage else ""
        if part == "shortcut":
            return f"{prefix}downsample.{1 if norm else 0}.{leaf}"
        return f"{prefix}{'bn' if norm else 'conv'}{part[-1]}.{leaf}"
    match = TORCHVISION_KEY.search(name)
    return match[1] if match else None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or of a torch file read weights-only, whatever dictionaries they lie in."""
    if not path.is_file():
        raise ModelError(f"expected backbone weights in {path} (network.weights), found no file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return dict(_flat("", torch.load(path, map_location="cpu", weights_only=True)))
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = first_line(error, "damaged")
        raise ModelError(
            f"expected {path} as safetensors or as a torch file of plain tensors (network.weights), "
            "found one that cannot be "
            f"read without running code from it; convert it to safetensors first ({reason})"
        ) from error


def _flat(prefix: str, value: Any) -> list[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        return [(prefix, value)]
    if isinstance(value, dict):
        return [
            pair for key, inner in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else str(key), inner)
        ]
    return []
