"""The head's training: resumable, the same for the same seed, and its best checkpoint chosen without labels."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_train.folders.semantics import training_folder
from cups_train.semantics.head.agreement import Variants, agreement
from cups_train.semantics.head.classes import HeadSettings, fit_centres, nearest_centre, set_sharpness
from cups_train.semantics.head.correspondence import Shifts
from cups_train.semantics.head.crops import DenseFrame, five_crops, neighbours
from cups_train.semantics.head.distillation import CropBatch, CropPool, Distillation, compare, find_shifts, losses
from cups_train.semantics.head.network import HeadNetwork
from cups_train.training.loop import train
from cups_train.training.optimise import Optimisation
from cups_train.training.single import SingleTraining

logger = logging.getLogger(__name__)
ADVICE = "lower the learning rate (-o semantics.head_lr=...)"
CHECKPOINTS = 5  # that are compared


def train_head(
    network: HeadNetwork, dense: Sequence[DenseFrame], state: Path, how: Distillation, settings: HeadSettings, seed: int
) -> HeadNetwork:
    """Train in place. A finished or stopped training goes on from STATE/head."""
    optimiser = torch.optim.Adam(network.head.parameters(), lr=settings.lr)
    training = HeadTraining(
        network.head,
        Optimisation(optimiser, math.inf, ADVICE),
        training_folder(state, "head"),
        settings.steps,
        network,
        Material(dense, crop_pool(dense), Variants.of(network.features, dense), how, settings.lr, seed),
    )
    train(training, training.plan("head"))
    network.head.load_state_dict(training.best["head"])
    network.centres.copy_(training.best["centres"])
    set_sharpness(network, dense, settings, seed, training.material.variants)
    return network


@dataclass(frozen=True, eq=False)
class Material:
    """What a head learns from, and how."""

    dense: Sequence[DenseFrame]
    pool: CropPool
    variants: Variants
    how: Distillation
    lr: float
    seed: int


@dataclass(eq=False)
class HeadTraining(SingleTraining[CropBatch]):
    """Trains network.head; remembers the best of its checkpoints."""

    whole: HeadNetwork
    material: Material

    def __post_init__(self) -> None:
        super().__post_init__()
        self.best: dict[str, Any] = {"score": -np.inf}
        self.shifts: Shifts | None = None

    def resume(self) -> int:
        start = super().resume()
        if self.shifts is None:
            self.shifts = find_shifts(self.whole, self.material.pool, self.material.how, self.material.seed)
        return start

    def batches(self, start: int) -> Iterator[tuple[int, CropBatch]]:
        pool, how, seed = self.material.pool, self.material.how, self.material.seed
        yield from ((step, pool.batch(how.batch, seed, step)) for step in range(start, self.steps))

    def losses(self, step: int, batch: CropBatch) -> dict[str, Tensor]:
        how, seed = self.material.how, self.material.seed
        assert self.shifts is not None  # found in `resume`
        return losses(self.whole, compare(self.whole, batch, how, seed, step), how, self.shifts, step)

    def rate(self, step: int) -> float:
        return self.material.lr

    def learned(self, step: int) -> dict[str, float]:
        """Now and then the checkpoint is compared with the best so far."""
        if (step + 1) % max(1, self.steps // CHECKPOINTS) and step + 1 != self.steps:
            return {}
        self.best = _better(self.whole, self.material, self.best, step + 1)
        return {"best": self.best["score"]}

    def memory(self) -> dict[str, Any]:
        assert self.shifts is not None  # found in `resume`
        return {"best": self.best, "shifts": asdict(self.shifts)}

    def recall(self, memory: dict[str, Any]) -> None:
        self.best, self.shifts = memory["best"], Shifts(**memory["shifts"])


def crop_pool(dense: Sequence[DenseFrame]) -> CropPool:
    crops, means = [], []
    for i, frame in enumerate(dense):
        maps = frame.features()
        for crop in five_crops(i, *maps.shape[1:]):
            crops.append(crop)
            means.append(crop.of(maps).mean((1, 2)))
    centred = np.stack(means)
    return CropPool(dense, crops, neighbours(centred - centred.mean(0), np.array([crop.frame for crop in crops])))


def _better(network: HeadNetwork, material: Material, best: dict[str, Any], step: int) -> dict[str, Any]:
    """The better of the best checkpoint so far and the network as it is, with a probe fitted anew."""
    centres = fit_centres(network, material.dense, material.seed)
    found = agreement(material.variants, lambda maps: nearest_centre(network, maps, centres), len(centres)).information
    logger.info("head, step %d: score without labels %.4f", step, found)
    if found < best["score"]:
        return best
    head: dict[str, Tensor] = {name: value.detach().cpu().clone() for name, value in network.head.state_dict().items()}
    return {"score": found, "step": step, "head": head, "centres": torch.from_numpy(centres)}
