"""Where a training stands: weights as safetensors, the optimiser's tensors beside them, written as one folder and
renamed."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cups_train.errors import ModelError, briefly
from cups_train.files import beside, read_object, write_bytes, write_json
from cups_train.folders.layout import CHECKPOINT
from cups_train.network import PanopticNetwork, load_checkpoint, save_checkpoint
from cups_train.training.tensors import load_tensors

logger = logging.getLogger(__name__)
STATE = "state"
OPTIMISER, FACTS = "optimiser.pt", "state.json"


@dataclass(frozen=True, eq=False)
class State:
    """All that a training needs to go on."""

    step: int  # steps done
    networks: dict[str, PanopticNetwork]
    optimiser: dict[str, Any]  # its state_dict
    memory: dict[str, Any] = field(default_factory=dict)  # what else a stage must remember, as JSON


def save_state(out: Path, state: State, identity: dict[str, Any], stage: str, result: str) -> None:
    """Write out/state/STEP, then out/checkpoint.safetensors (the network named `result`), then drop older states."""
    step = state.step
    folder = out / STATE / f"{step:06d}"
    unfinished = beside(folder)
    for name, network in state.networks.items():
        save_checkpoint(network, unfinished / f"{name}.safetensors", step=step, stage=stage)
    torch.save(state.optimiser, unfinished / OPTIMISER)
    write_json(
        unfinished / FACTS,
        {"step": step, "networks": sorted(state.networks), "memory": state.memory, "identity": identity},
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)
    publish(out, folder, result)
    for other in (out / STATE).iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def publish(out: Path, folder: Path, result: str) -> None:
    """The state's network named `result` becomes out/checkpoint.safetensors."""
    write_bytes(out / CHECKPOINT, (folder / f"{result}.safetensors").read_bytes())


def load_state(out: Path, identity: dict[str, Any], result: str | None, device: torch.device) -> State | None:
    """The last state in `out`, if its training had the same identity (settings, seed, data); else None, also where it
    is damaged, so that the training begins anew and ends with the same weights.

    Its network named `result` is published again: a run may have been killed between the state and its checkpoint.
    None: another process does it.
    """
    for folder in sorted((out / STATE).glob("[0-9]*"), reverse=True):
        facts = read_object(folder / FACTS)
        if facts.get("identity", {}) != json.loads(json.dumps(identity)) and facts:
            return None
        try:
            found = _read_state(folder, facts, device)
        except (ModelError, KeyError, TypeError, ValueError) as error:
            logger.warning("the state in %s is damaged, the training begins anew: %s", folder, briefly(str(error)))
            return None
        if result is not None:
            publish(out, folder, result)
        return found
    return None


def _read_state(folder: Path, facts: dict[str, Any], device: torch.device) -> State:
    optimiser = load_tensors(folder / OPTIMISER, device, folder.parent)
    networks = {name: load_checkpoint(folder / f"{name}.safetensors", device) for name in facts["networks"]}
    return State(int(facts["step"]), networks, optimiser, facts["memory"])
