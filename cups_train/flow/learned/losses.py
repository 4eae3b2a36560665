"""What makes a flow good without knowing the true one: the same census at both ends, and smoothness where the image is
smooth.

Jonschkowski et al., "What Matters in Unsupervised Optical Flow", ECCV 2020; Stone et al., SMURF, CVPR 2021.
Fields are (B, 2, H, W) px, images RGB in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cups_train.flow.learned.refiner import CELL, fetch

SIDE = 5  # px of the census window
EDGE = 10.0  # how quickly smoothness gives way to image gradients, at a quarter of the resolution
ROBUST = 0.45  # exponent of the census distance


def census(image: Tensor) -> Tensor:
    """Soft signs of the differences from the centre: (B, C, H, W) -> (B, SIDE * SIDE, H, W)."""
    grey = image.mean(1, keepdim=True) * 255
    batch, _, height, width = grey.shape
    patches = functional.unfold(functional.pad(grey, (SIDE // 2,) * 4, mode="replicate"), SIDE).view(
        batch, SIDE**2, height, width
    )
    change = patches - grey
    return change / torch.sqrt(0.81 + change**2)


def census_loss(first: Tensor, second: Tensor, flow: Tensor, seen: Tensor) -> Tensor:
    """Mean robust distance of the census of `first` and of `second` fetched by `flow`, over the pixels `seen` (B, 1, H,
    W) in both."""
    difference = (census(first) - census(fetch(second, flow))) ** 2
    distance = (difference / (0.1 + difference)).mean(1, keepdim=True)
    weight = seen.to(distance.dtype).clone()
    border = SIDE // 2
    weight[..., :border, :], weight[..., -border:, :], weight[..., :border], weight[..., -border:] = 0, 0, 0, 0
    return (weight * (distance + 1e-3) ** ROBUST).sum() / (weight.sum() + 1)


def smoothness(flow: Tensor, image: Tensor) -> Tensor:
    """Mean second difference of the flow in cells, less where the image changes: planes cost nothing, edges little.

    flow: (B, 2, H, W) px; image: (B, 3, H, W).
    """
    small, cells = functional.avg_pool2d(image, CELL), functional.avg_pool2d(flow, CELL) / CELL
    total = flow.new_zeros(())
    for axis in (2, 3):
        size = cells.shape[axis] - 2
        a, b, c = (cells.narrow(axis, i, size) for i in range(3))
        step = (small.narrow(axis, 2, size) - small.narrow(axis, 0, size)).abs().mean(1, keepdim=True)
        total = total + (torch.exp(-EDGE * step) * torch.sqrt((a - 2 * b + c) ** 2 + 1e-6)).mean()
    return total


def seen_in_both(flow: Tensor, other: Tensor) -> Tensor:
    """(B, 1, H, W) bool: the way back leads to the start (published forward-backward test), and the end lies inside. No
    gradient."""
    with torch.no_grad():
        back, inside = fetch(other, flow), fetch(torch.ones_like(flow[:, :1]), flow) > 0.999
        trip = ((flow + back) ** 2).sum(1, keepdim=True)
        return inside & (trip < 0.01 * ((flow**2).sum(1, keepdim=True) + (back**2).sum(1, keepdim=True)) + 0.5)


def imitation(student: Tensor, teacher: Tensor, trusted: Tensor) -> Tensor:
    """Mean robust distance [px] from what the same network said when it saw more, over the pixels `trusted` (B, 1, H,
    W)."""
    distance = torch.sqrt(((student - teacher.detach()) ** 2).sum(1, keepdim=True) + 1e-4)
    weight = trusted.to(distance.dtype)
    return (weight * distance.clamp(max=20)).sum() / (weight.sum() + 1)
