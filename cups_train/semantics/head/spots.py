"""Which spots of a crop are compared: random ones, or farthest points of the scene (DepthG)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cups_train.types import StereoCamera

SPOTS = 121
FINEST = 28  # rows and columns of the grid that farthest points are taken from
FAR = 80.0  # m: what is further away, the sky too, is taken to be here


def random_spots(count: int, generator: torch.Generator) -> Tensor:
    """(B, SPOTS, 2) for `count` images, as (x, y) in -1..1."""
    return torch.rand(count, SPOTS, 2, generator=generator) * 2 - 1


def sample(maps: Tensor, spots: Tensor) -> Tensor:
    """(B, C, h, w) at (B, N, 2) spots -> (B, C, N), bilinear; -1 and 1 are the centres of the outer cells."""
    return functional.grid_sample(maps, spots[:, None], mode="bilinear", padding_mode="border", align_corners=True)[
        :, :, 0
    ]


def scene_points(inverse_depth: np.ndarray, camera: StereoCamera, top: int, left: int) -> np.ndarray:
    """(h, w) 1/m of a crop at (top, left) of the camera's image -> (3, h, w) float32 metres, left optical frame."""
    height, width = inverse_depth.shape
    z = 1 / np.maximum(inverse_depth, 1 / FAR)
    x = (left + np.arange(width)[None] - camera.cx) / camera.fx
    y = (top + np.arange(height)[:, None] - camera.cy) / camera.fy
    return np.stack([x * z, y * z, z]).astype(np.float32)


def farthest_spots(points: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 3 or more, h, w) x, y, z [m] -> (B, SPOTS, 2) as (x, y) in -1..1: each point is the farthest from those
    before it, the first is random.

    Far by direction and log depth, (x/z, y/z, log z): in metres half of all spots would lie on far facades, and few on
    what drives. A crop of fewer cells than SPOTS gives some of them twice.
    """
    count, _, height, width = points.shape
    rows = torch.linspace(0, height - 1, min(height, FINEST)).round().long()
    columns = torch.linspace(0, width - 1, min(width, FINEST)).round().long()
    x, y, z = points[:, :3, rows][..., columns].flatten(2).unbind(1)
    cloud = torch.stack([x / z, y / z, z.log()], -1)  # (B, N, 3)
    batch = torch.arange(count)
    chosen = torch.empty(count, SPOTS, dtype=torch.long)
    chosen[:, 0] = torch.randint(cloud.shape[1], (count,), generator=generator)
    distance = torch.full(cloud.shape[:2], torch.inf)
    for i in range(1, SPOTS):
        latest = cloud[batch, chosen[:, i - 1]]
        distance = torch.minimum(distance, (cloud - latest[:, None]).square().sum(-1))
        chosen[:, i] = distance.argmax(1)
    y, x = rows[chosen // len(columns)], columns[chosen % len(columns)]
    size = torch.tensor([max(width - 1, 1), max(height - 1, 1)])
    return torch.stack([x, y], -1) / size * 2 - 1
