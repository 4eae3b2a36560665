"""The two phases of the encoder's training, views and then classes: resumable, and the same for the same seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from cups_train.folders.semantics import training_path
from cups_train.network.encoder import Encoder, EncoderOutput
from cups_train.progress import progress
from cups_train.semantics.batches import Batch, ahead
from cups_train.semantics.losses import at_points, contrast, moving_loss, shape_loss
from cups_train.semantics.views import UNKNOWN
from cups_train.training.small import cosine, keep, note, resume

logger = logging.getLogger(__name__)
STATE_EVERY = 100  # steps
CLIP = 5.0  # gradient norm

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


def go_through(phase: Phase, encoder: Encoder, make: Callable[[int], Batch], state: Path) -> None:
    """Train in place on the batches that `make` gives for each step. STATE/NAME.pt is written every 100 steps; a
    finished or stopped phase goes on from there.
    """
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=phase.lr, weight_decay=0.01)
    path = training_path(state, phase.name)
    start = resume(path, encoder, optimizer)
    device = next(encoder.parameters()).device
    encoder.train().to(memory_format=torch.channels_last)
    for step, batch in progress(ahead(make, range(start, phase.steps)), f"encoder: {phase.name}", phase.steps, start):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, phase.steps, phase.lr)
        losses = phase.loss(encoder, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), CLIP)
        optimizer.step()
        if (step + 1) % STATE_EVERY == 0 or step + 1 == phase.steps:
            keep(path, encoder, optimizer, step + 1)
            values = {name: value.item() for name, value in losses.items()}
            row = {"phase": phase.name, "step": step + 1, "lr": cosine(step, phase.steps, phase.lr), **values}
            note(state, row)
            logger.info("%s", row)
    encoder.eval().to(device)
