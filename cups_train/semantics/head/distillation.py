"""One step of the head's training: a batch of crops with their partners, and its losses; both depend on (seed, step)
alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cups_train.semantics.head.correspondence import (
    NEGATIVES,
    Shifts,
    Weights,
    distil,
    likeness,
    nearness,
    others,
    published_depth_likeness,
)
from cups_train.semantics.head.crops import Crop, DenseFrame
from cups_train.semantics.head.network import HeadNetwork
from cups_train.semantics.head.spots import FAR, SPOTS, farthest_spots, random_spots, sample, scene_points

DROP = 0.1  # of the channels, drawn anew for both parts of the head
SHIFT_BATCHES = 8
DEPTH_DECAY, DEPTH_DECAY_STEPS = 0.8, 400  # of weight and shift of the depth term (DepthG)

DepthTerm = Literal["nearness", "published"]
Spots = Literal["farthest", "random"]


@dataclass(frozen=True)
class Shares:
    """Of the pairs, those that attract where no shifts are given."""

    own: float
    neighbour: float
    random: float


ATTRACT = Shares(0.25, 0.15, 0.08)  # of foreign features
# Where geometry is among the features: more of the pairs that attract show one class, and those of other images only
# cost; few are near in space.
DESCRIBED_WEIGHTS, DESCRIBED_ATTRACT = Weights(neighbour=0.0, depth=0.4), Shares(0.35, 0.2, 0.12)


@dataclass(frozen=True)
class Distillation:
    """How the head learns."""

    batch: int  # crops a step
    depth_term: DepthTerm | None = None  # of DepthG; none: STEGO
    spots: Spots = "random"
    weights: Weights = Weights()
    shifts: Shifts | None = None  # none: found by `attract`
    attract: Shares = ATTRACT


@dataclass(frozen=True, eq=False)
class CropBatch:
    """B crops and a partner of each."""

    features: Tensor  # (2 B, C, s, s): crops, then partners
    points: Tensor  # (2 B, 4, s, s) x, y, z and height over the ground, metres


@dataclass(frozen=True, eq=False)
class CropPool:
    """Every crop that is learned from."""

    dense: Sequence[DenseFrame]
    crops: Sequence[Crop]
    partners: np.ndarray  # (N, up to 7) indices of the crops most alike

    def batch(self, count: int, seed: int, step: int) -> CropBatch:
        rng = np.random.default_rng([seed, 5, step])
        first = rng.choice(len(self.crops), count, replace=len(self.crops) < count)
        partner = (
            self.partners[first, rng.integers(0, self.partners.shape[1], count)] if self.partners.shape[1] else first
        )
        chosen = [self.crops[i] for i in (*first, *partner)]
        features = np.stack([crop.of(self.dense[crop.frame].features()) for crop in chosen])
        return CropBatch(
            torch.from_numpy(features), torch.from_numpy(np.stack([self._points(crop) for crop in chosen]))
        )

    def _points(self, crop: Crop) -> np.ndarray:
        frame = self.dense[crop.frame]
        points = scene_points(crop.of(frame.inverse_depth()), frame.camera, crop.top, crop.left)
        return np.concatenate([points, crop.of(frame.height())[None]])


@dataclass(frozen=True, eq=False)
class Compared:
    """A batch at its spots."""

    features: Tensor  # (2 B, C, N), adapted
    points: Tensor  # (B, 4, N) of the crops, as in CropBatch
    generator: torch.Generator


def compare(network: HeadNetwork, batch: CropBatch, how: Distillation, seed: int, step: int) -> Compared:
    """Draw the spots and read the features there."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % (1 << 62))
    spots = (
        farthest_spots(batch.points, generator)
        if how.spots == "farthest"
        else random_spots(len(batch.points), generator)
    )
    count = len(spots) // 2
    if how.depth_term == "published":
        side = round(SPOTS**0.5)
        points = functional.interpolate(
            batch.points[:count], (side, side), mode="bilinear", align_corners=False
        ).flatten(2)
        points[:, 2] = torch.where(points[:, 2] < FAR, points[:, 2], 0)  # the published rule knows no depth of the sky
    else:
        points = sample(batch.points[:count], spots[:count])
    device = network.centres.device
    features = network.adapt(sample(batch.features, spots).to(device)[..., None])[..., 0]
    return Compared(features, points.to(device), generator)


def losses(network: HeadNetwork, at: Compared, how: Distillation, shifts: Shifts, step: int) -> dict[str, Tensor]:
    """Weighted terms of STEGO, and of DepthG where depth is used, from features (2B, C, N); scalars."""
    codes = network.head(*(_drop(at.features[..., None], at.generator) for _ in range(2)))[..., 0]
    count = len(at.points)
    f, g, c, d = at.features[:count], at.features[count:], codes[:count], codes[count:]
    terms = {
        "own": how.weights.own * distil(likeness(f, f), likeness(c, c), shifts.own),
        "neighbour": how.weights.neighbour * distil(likeness(f, g), likeness(c, d), shifts.neighbour),
    }
    orders = [others(count, at.generator).to(f.device) for _ in range(NEGATIVES)]
    negative = [distil(likeness(f, f[order]), likeness(c, c[order]), shifts.random) for order in orders]
    terms["random"] = how.weights.random * torch.stack(negative).mean()
    if how.depth_term is not None:
        decay = DEPTH_DECAY ** (step // DEPTH_DECAY_STEPS)
        shift = shifts.depth * (decay if how.depth_term == "published" else 1)
        terms["depth"] = decay * how.weights.depth * distil(_depth_likeness(at.points, how), likeness(c, c), shift)
    return terms


def _depth_likeness(points: Tensor, how: Distillation) -> Tensor:
    """(B, 4, N) -> (B, N, N)."""
    return published_depth_likeness(points[:, 2]) if how.depth_term == "published" else nearness(points)


def find_shifts(network: HeadNetwork, pool: CropPool, how: Distillation, seed: int) -> Shifts:
    """Those given, else the likeness that the shares `attract` of the pairs exceed, and the mean of the depth
    term's."""
    if how.shifts is not None:
        return how.shifts
    alikes: dict[str, list[Tensor]] = {"own": [], "neighbour": [], "random": [], "depth": []}
    for i in range(SHIFT_BATCHES):
        at = compare(network, pool.batch(how.batch, seed, -1 - i & 0xFFFF_FFFF), how, seed, -1 - i)
        count = len(at.points)
        f, g = at.features[:count], at.features[count:]
        order = others(count, at.generator).to(f.device)
        for name, alike in (("own", likeness(f, f)), ("neighbour", likeness(f, g)), ("random", likeness(f, f[order]))):
            alikes[name].append(alike.flatten()[::7])
        alikes["depth"].append(_depth_likeness(at.points, how).mean()[None])
    found = {
        name: float(np.quantile(torch.cat(alikes[name]).cpu().numpy(), 1 - share))
        for name, share in asdict(how.attract).items()
    }
    return Shifts(**found, depth=float(torch.cat(alikes["depth"]).mean()))


def _drop(features: Tensor, generator: torch.Generator) -> Tensor:
    """Dropout of whole channels."""
    keep = torch.rand(features.shape[:2], generator=generator) >= DROP
    return features * (keep.to(features)[..., None, None] / (1 - DROP))
