"""Losses of the encoder."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOVING_WEIGHT = 6.0


def contrast(here: Tensor, there: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE both ways: row i of `here` (N, C) and row i of `there` (N, C) show the same point, all other rows are
    negatives."""
    a, b = functional.normalize(here, dim=1), functional.normalize(there, dim=1)
    logits = a @ b.T / temperature
    target = torch.arange(len(a), device=a.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def at_points(features: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of (c, h, w) at (n, 2) cells (x, y): (n, c)."""
    height, width = features.shape[-2:]
    grid = (points + 0.5) / points.new_tensor([width, height]) * 2 - 1
    return functional.grid_sample(features[None], grid[None, None], align_corners=False, padding_mode="border")[
        0, :, 0
    ].T


def shape_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """(B, SHAPE, h, w) twice: smooth L1 over standardised shape channels; NaN targets do not count."""
    known = torch.isfinite(target)
    error = functional.smooth_l1_loss(predicted, torch.where(known, target, predicted.detach()), reduction="sum")
    return error / known.sum().clamp(min=1)


def moving_loss(logits: Tensor, target: Tensor) -> Tensor:
    """(B, h, w) twice: cross-entropy over cells whose motion is known (target 1 or 0, else negative).

    A still car is no proof against cars, so moving cells weigh more: MOVING_WEIGHT times.
    """
    known = target >= 0
    if not known.any():
        return logits.sum() * 0
    weight = logits.new_tensor(MOVING_WEIGHT)
    return functional.binary_cross_entropy_with_logits(logits[known], target[known].to(logits.dtype), pos_weight=weight)


def class_weights(counts: Tensor) -> Tensor:
    """1 / sqrt(frequency) of (K,) pixel counts, mean 1 over the pixels; classes never seen weigh as the rarest."""
    weights = counts.clamp(min=counts[counts > 0].min()).rsqrt()
    return weights * counts.sum() / (weights * counts).sum()
