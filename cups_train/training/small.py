"""Trainings of small networks: where one stands in one file, what it tells in one line, and the learning rate of a
step."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cups_train.files import write_atomically
from cups_train.folders.layout import LOSSES

WARM_UP = 30  # steps, a quarter of a short training
LEAST = 0.02  # of the learning rate, at the end


def resume(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Fill both from what `keep` wrote, where it did; the steps that are done."""
    if not path.is_file():
        return 0
    state = torch.load(path, map_location=next(network.parameters()).device, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def keep(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write where a training stands after `step` steps."""
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    write_atomically(path, lambda beside: torch.save(state, beside))


def note(folder: Path, row: dict[str, Any]) -> None:
    """One line more in FOLDER/metrics.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOSSES).open("a") as file:
        file.write(json.dumps(row) + "\n")


def cosine(step: int, steps: int, lr: float) -> float:
    """Linear warm-up, then half a cosine down to 2 % of `lr`. `step` counts from 0."""
    warm = min(1.0, (step + 1) / min(WARM_UP, max(steps // 4, 1)))
    return lr * warm * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * step / max(steps, 1))))
