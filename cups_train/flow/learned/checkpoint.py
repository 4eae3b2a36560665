"""Weights of the refinement on disk: safetensors with what they were trained on; nothing in them is ever executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from cups_train.errors import ModelError, first_line
from cups_train.files import write_atomically
from cups_train.flow.learned.refiner import Refiner

FORMAT = "cups-flow-2"


def save(network: Refiner, path: Path, identity: dict[str, Any], recordings: list[str]) -> None:
    """Write weights, size and identity (settings, seed, data) of a training; the same ones give the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    facts = {
        "size": {"channels": network.channels, "updates": network.updates},
        "identity": identity,
        "recordings": recordings,
    }
    metadata = {FORMAT: json.dumps(facts, sort_keys=True)}  # one entry: the library writes several in any order
    write_atomically(path, lambda beside: save_file(tensors, beside, metadata))


def read_identity(path: Path) -> Any:
    """What `save` was given. Raises ModelError."""
    return _facts(path)["identity"]


def load_refiner(path: Path) -> Refiner:
    """The network, in eval mode, on the CPU. Raises ModelError."""
    facts = _facts(path)
    try:
        network = Refiner(**facts["size"])
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise ModelError(
            f"expected the weights of a flow network in {path} (motion.flow_weights), found others: {reason}"
        ) from error
    return network.eval()


def _facts(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(f"expected a flow network in {path} (motion.flow_weights), found no file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        facts = json.loads(metadata.get(FORMAT, "null"))
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"expected a flow network in {path} (motion.flow_weights), found a damaged file ({error}); train it again"
        ) from error
    if not isinstance(facts, dict) or not {"size", "identity"} <= facts.keys():
        raise ModelError(
            f"expected a flow network of cups-train ({FORMAT}) in {path} (motion.flow_weights), found another file"
        )
    return facts
