"""The two phases of the encoder's training, views and then classes: resumable, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from cups_train.folders.semantics import training_folder
from cups_train.network.encoder import Encoder, EncoderOutput
from cups_train.semantics.batches import Batch, ahead
from cups_train.semantics.losses import at_points, contrast, moving_loss, shape_loss
from cups_train.semantics.views import UNKNOWN
from cups_train.training.loop import train
from cups_train.training.optimise import Optimisation, cosine
from cups_train.training.single import SingleTraining

CLIP = 5.0  # gradient norm
ADVICE = "lower the learning rate (-o semantics.lr=...)"

Loss = Callable[[Encoder, Batch], dict[str, Tensor]]


@dataclass(frozen=True)
class Phase:
    """One of the trainings that an encoder goes through."""

    name: str
    loss: Loss
    steps: int
    lr: float


def view_losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
    """Phase one, on views (B, 3, h, w): the same point looks the same in both views; shape and motion are read from one
    image."""
    device = next(encoder.parameters()).device
    out = encoder(torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.rows).to(device))
    losses = _read_off(out, batch)
    codes = encoder.to_contrast(out.features)
    here = [at_points(codes[link.first], torch.from_numpy(link.here).to(device, torch.float32)) for link in batch.links]
    there = [
        at_points(codes[link.second], torch.from_numpy(link.there).to(device, torch.float32)) for link in batch.links
    ]
    if sum(len(points) for points in here) > 1:
        losses["contrast"] = 0.2 * contrast(torch.cat(here), torch.cat(there))
    return losses


def class_losses(weights: Tensor) -> Loss:
    """Phase two: cross-entropy on pseudo classes, `weights` (K,); shape stays a task."""

    def losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        device = next(encoder.parameters()).device
        out = encoder(torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.rows).to(device))
        target = torch.from_numpy(batch.classes).to(device)
        entropy = functional.cross_entropy(
            out.logits, target, weight=weights.to(device), ignore_index=UNKNOWN, label_smoothing=0.05, reduction="sum"
        )
        known = (target != UNKNOWN).sum().clamp(min=1)
        return {"classes": entropy / known, **{name: 0.5 * value for name, value in _read_off(out, batch).items()}}

    return losses


def _read_off(out: EncoderOutput, batch: Batch) -> dict[str, Tensor]:
    """What one image should tell: the scene's shape, and what moves."""
    device = out.shape.device
    shape = shape_loss(out.shape, torch.from_numpy(batch.shape).to(device))
    return {"shape": shape, "moving": moving_loss(out.moving, torch.from_numpy(batch.moving).to(device))}


@dataclass(eq=False)
class EncoderTraining(SingleTraining[Batch]):
    """One phase, on the batches that `make` gives for each step."""

    phase: Phase
    make: Callable[[int], Batch]

    def batches(self, start: int) -> Iterable[tuple[int, Batch]]:
        return ahead(self.make, range(start, self.steps))

    def losses(self, step: int, batch: Batch) -> dict[str, Tensor]:
        return self.phase.loss(self.encoder, batch)

    def rate(self, step: int) -> float:
        return cosine(step, self.steps, self.phase.lr)

    @property
    def encoder(self) -> Encoder:
        return cast(Encoder, self.network)


def go_through(phase: Phase, encoder: Encoder, make: Callable[[int], Batch], state: Path) -> None:
    """Train in place on the batches that `make` gives for each step. A finished or stopped phase goes on from
    STATE/NAME.
    """
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=phase.lr, weight_decay=0.01)
    encoder.train().to(memory_format=torch.channels_last)
    training = EncoderTraining(
        encoder, Optimisation(optimiser, CLIP, ADVICE), training_folder(state, phase.name), phase.steps, phase, make
    )
    train(training, training.plan(f"encoder: {phase.name}"))
    encoder.eval()
