"""Correspondence distillation: codes are to be alike where features are (STEGO), and where spots are near in space
(DepthG)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NEAR = 2.0  # m: distance in space at which nearness falls to 1/e
GROUND = 0.25  # m: what is lower belongs to the ground
NEGATIVES = 5  # random pairs an image


@dataclass(frozen=True)
class Weights:
    """Weights of the terms (DepthG's for Cityscapes)."""

    own: float = 0.95
    neighbour: float = 1.02
    random: float = 0.57
    depth: float = 0.09


@dataclass(frozen=True)
class Shifts:
    """Likeness from which a pair attracts; below, it repels."""

    own: float
    neighbour: float
    random: float
    depth: float


def likeness(a: Tensor, b: Tensor) -> Tensor:
    """(B, C, N), (B, C, M) -> (B, N, M) cosines."""
    return torch.einsum("bcn,bcm->bnm", functional.normalize(a, dim=1), functional.normalize(b, dim=1))


def nearness(points: Tensor) -> Tensor:
    """(B, 4, N) x, y, z and height over the ground, metres -> (B, N, N) in 0..1: exp(-|X - X'| / 2 m), 0 between the
    ground and what stands on it.

    Equal depth alone says little: across a street the spots of one depth are of all classes.
    """
    spots = points[:, :3].transpose(1, 2)
    distance = torch.cdist(spots, spots, compute_mode="donot_use_mm_for_euclid_dist")
    ground = points[:, 3] < GROUND
    return torch.exp(-distance / NEAR) * (ground[:, :, None] == ground[:, None, :])


def published_depth_likeness(depth: Tensor) -> Tensor:
    """(B, N) metres, 0 = none -> (B, N, N): depth of one channel, normalised over its channel, is 1 wherever there is
    depth (the published code)."""
    one = functional.normalize(depth[:, None], dim=1)
    return torch.einsum("bcn,bcm->bnm", one, one)


def distil(alike: Tensor, codes: Tensor, shift: float) -> Tensor:
    """(B, N, M) likeness and cosines of the codes -> - mean max(cosine, 0) (likeness - shift)."""
    return -(codes.clamp(min=0) * (alike - shift)).mean()


def others(count: int, generator: torch.Generator) -> Tensor:
    """(B,) for `count` images: a random other one for each; fixed points move on by one."""
    order = torch.randperm(count, generator=generator)
    return torch.where(order == torch.arange(count), (order + 1) % count, order)
