"""Checkpoints: safetensors with the network's description as JSON metadata; nothing in them is ever executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from cups_train.errors import ModelError, first_line
from cups_train.files import write_atomically
from cups_train.network.model import PanopticNetwork
from cups_train.network.spec import NetworkSpec

FORMAT = "cups-network-1"


def save_checkpoint(network: PanopticNetwork, path: Path, **facts: Any) -> None:
    """Write all weights and the spec; `facts` (step=..., stage=...) go into the metadata, JSON values only."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    card = {"format": FORMAT, "spec": network.spec.to_json(), "facts": facts}
    metadata = {"cups": json.dumps(card)}  # one key: the order of several would differ from file to file
    write_atomically(path, lambda beside: save_file(tensors, beside, metadata))


def read_checkpoint_metadata(path: Path) -> tuple[NetworkSpec, dict[str, Any]]:
    """The spec and the facts, without the weights. Raises ModelError."""
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {}).get("cups", "{}"))
        if card.get("format") != FORMAT:
            raise ModelError(
                f"expected a checkpoint of cups-train ({FORMAT}), found {card.get('format', 'another file')!r}"
            )
        return NetworkSpec.from_json(card["spec"]), card["facts"]
    except ModelError as error:
        raise ModelError(f"{error} ({path})") from error
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        found = "a damaged file" if path.exists() else "none"
        raise ModelError(
            f"expected a checkpoint of cups-train in {path}, found {found} ({error}); copy it again, or train again"
        ) from error


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> PanopticNetwork:
    """Build the network again, in eval mode. Raises ModelError where file and network do not fit."""
    spec, _ = read_checkpoint_metadata(path)
    network = PanopticNetwork(spec)
    try:
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"expected the weights of the network that {path} describes, found others: {first_line(error)}"
        ) from error
    return network.to(device).eval()
