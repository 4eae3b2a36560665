"""The training loop of both phases: resumable, and the same for the same seed."""
from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from cups_train.progress import progress
from cups_train.semantics.batches import Batch, ahead
from cups_train.semantics.encoder import Encoder, EncoderOutput
from cups_train.semantics.losses import at_points, contrast, moving_loss, shape_loss
from cups_train.semantics.views import UNKNOWN
from cups_train.training.small import cosine, keep, note, resume

logger = logging.getLogger(__name__)
STATE_EVERY = 100  # steps
CLIP = 5.0  # gradient norm

Loss = Callable[[Encoder, Batch], dict[str, Tensor]]


def learn_views(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
    """Phase one: the same point looks the same in both views; shape and motion are read from one image."""
    device = next(encoder.parameters()).device
    out = encoder(torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.rows).to(device))
    losses = _read_off(out, batch)
    codes = encoder.to_contrast(out.features)
    here = [at_points(codes[i], torch.from_numpy(a).to(device, torch.float32)) for i, _, a, _ in batch.links]
    there = [at_points(codes[j], torch.from_numpy(b).to(device, torch.float32)) for _, j, _, b in batch.links]
    if sum(len(points) for points in here) > 1:
        losses["contrast"] = 0.2 * contrast(torch.cat(here), torch.cat(there))
    return losses


def learn_classes(weights: Tensor) -> Loss:
    """Phase two: cross-entropy on pseudo classes, `weights` (K,); shape stays a task."""
    def losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        device = next(encoder.parameters()).device
        out = encoder(torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.rows).to(device))
        target = torch.from_numpy(batch.classes).to(device)
        entropy = functional.cross_entropy(out.logits, target, weight=weights.to(device), ignore_index=UNKNOWN, label_smoothing=0.05, reduction="sum")
        known = (target != UNKNOWN).sum().clamp(min=1)
        return {"classes": entropy / known, **{name: 0.5 * value for name, value in _read_off(out, batch).items()}}
    return losses


def _read_off(out: EncoderOutput, batch: Batch) -> dict[str, Tensor]:
    """What one image should tell: the scene's shape, and what moves."""
    device = out.shape.device
    shape = shape_loss(out.shape, torch.from_numpy(batch.shape).to(device))
    return {"shape": shape, "moving": moving_loss(out.moving, torch.from_numpy(batch.moving).to(device))}


def learn(encoder: Encoder, make: Callable[[int], Batch], loss: Loss, steps: int, lr: float, title: str, folder: Path) -> None:
    """Train in place. `folder`/TITLE.pt holds the state every 100 steps; a finished or stopped phase goes on from there."""
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=lr, weight_decay=0.01)
    path = folder / f"{title}.pt"
    start = resume(path, encoder, optimizer)
    device = next(encoder.parameters()).device
    encoder.train().to(memory_format=torch.channels_last)
    for step, batch in progress(ahead(make, range(start, steps)), f"encoder: {title}", steps, start):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, lr)
        losses = loss(encoder, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), CLIP)
        optimizer.step()
        if (step + 1) % STATE_EVERY == 0 or step + 1 == steps:
            keep(path, encoder, optimizer, step + 1)
            values = {name: value.item() for name, value in losses.items()}
            row = {"phase": title, "step": step + 1, "lr": cosine(step, steps, lr), **values}
            note(folder, row)
            logger.info("%s", row)
    encoder.eval().to(device)
