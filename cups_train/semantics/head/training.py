"""The head's training: resumable, the same for the same seed, and its best checkpoint chosen without labels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_train.files import write_atomically
from cups_train.folders.semantics import training_path
from cups_train.progress import progress
from cups_train.semantics.head.agreement import Variants, agreement
from cups_train.semantics.head.classes import HeadSettings, fit_centres, nearest_centre, set_classes
from cups_train.semantics.head.correspondence import Shifts
from cups_train.semantics.head.crops import DenseFrame, five_crops, neighbours
from cups_train.semantics.head.distillation import CropPool, Distillation, compare, find_shifts, losses
from cups_train.semantics.head.network import HeadNetwork
from cups_train.training.small import note

logger = logging.getLogger(__name__)
STATE_EVERY = 100  # steps
CHECKPOINTS = 5  # that are compared


def train_head(
    network: HeadNetwork, dense: Sequence[DenseFrame], state: Path, how: Distillation, settings: HeadSettings, seed: int
) -> HeadNetwork:
    """Train in place. STATE/head.pt is written every 100 steps; a finished or stopped training goes on from there."""
    pool = crop_pool(dense)
    optimizer = torch.optim.Adam(network.head.parameters(), lr=settings.lr)
    path = training_path(state, "head")
    kept = _resume(path, network, optimizer)
    shifts = Shifts(**kept["shifts"]) if "shifts" in kept else find_shifts(network, pool, how, seed)
    variants = Variants.of(network.features, dense)
    best: dict[str, Any] = kept.get("best", {"score": -np.inf})
    start, every = int(kept.get("step", 0)), max(1, settings.steps // CHECKPOINTS)
    for step in progress(range(start, settings.steps), "head", settings.steps, start):
        terms = losses(network, compare(network, pool.batch(how.batch, seed, step), how, seed, step), how, shifts, step)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        last = step + 1 == settings.steps
        if (step + 1) % every == 0 or last:
            best = _better(network, dense, variants, best, seed, step + 1)
            note(
                state,
                {"phase": "head", "step": step + 1, "best": best["score"], **{n: t.item() for n, t in terms.items()}},
            )
        if (step + 1) % STATE_EVERY == 0 or last:
            kept = {
                "head": network.head.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step + 1,
                "best": best,
                "shifts": asdict(shifts),
            }
            write_atomically(path, partial(torch.save, kept))
    network.head.load_state_dict(best["head"])
    network.centres.copy_(best["centres"])
    set_classes(network, dense, settings, seed, variants)
    return network


def crop_pool(dense: Sequence[DenseFrame]) -> CropPool:
    crops, means = [], []
    for i, frame in enumerate(dense):
        maps = frame.features()
        for crop in five_crops(i, *maps.shape[1:]):
            crops.append(crop)
            means.append(crop.of(maps).mean((1, 2)))
    centred = np.stack(means)
    return CropPool(dense, crops, neighbours(centred - centred.mean(0), np.array([crop.frame for crop in crops])))


def _better(
    network: HeadNetwork, dense: Sequence[DenseFrame], variants: Variants, best: dict[str, Any], seed: int, step: int
) -> dict[str, Any]:
    """The better of the best checkpoint so far and the network as it is, with a probe fitted anew."""
    centres = fit_centres(network, dense, seed)
    found = agreement(variants, lambda maps: nearest_centre(network, maps, centres), len(centres)).information
    logger.info("head, step %d: score without labels %.4f", step, found)
    if found < best["score"]:
        return best
    head: dict[str, Tensor] = {name: value.detach().cpu().clone() for name, value in network.head.state_dict().items()}
    return {"score": found, "step": step, "head": head, "centres": torch.from_numpy(centres)}


def _resume(path: Path, network: HeadNetwork, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    if not path.exists():
        return {}
    state: dict[str, Any] = torch.load(path, map_location=network.centres.device, weights_only=True)
    network.head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return state
