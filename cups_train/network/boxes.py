"""Boxes x1, y1, x2, y2 in pixels: anchors, deltas, overlaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RATIOS = (0.5, 1.0, 2.0)  # height / width
STRIDES = (4, 8, 16, 32, 64)  # of P2..P6
MAX_LOG_SIZE = math.log(1000 / 16)
Weights = tuple[float, float, float, float]  # of the deltas: x, y, width, height


def level_anchors(size: tuple[int, int], stride: int, side: float, device: torch.device | str = "cpu") -> Tensor:
    """Anchors of one level (N, 4), N = 3 h w, row by row, the three ratios of a cell side by side; centred on (x, y) *
    stride, not rounded."""
    ratios = torch.tensor(RATIOS, device=device)
    half_width = (side * side / ratios).sqrt() / 2
    half = torch.stack([half_width, half_width * ratios], dim=1)
    y, x = torch.meshgrid(torch.arange(size[0], device=device), torch.arange(size[1], device=device), indexing="ij")
    centre = torch.stack([x, y], dim=-1).reshape(-1, 1, 2) * float(stride)
    return torch.cat([centre - half, centre + half], dim=-1).reshape(-1, 4)


def pyramid_anchors(
    sizes: list[tuple[int, int]], side: float, device: torch.device | str = "cpu"
) -> tuple[Tensor, ...]:
    """Anchors (N, 4) of each of P2..P6 for feature maps of these sizes; the side doubles from level to level."""
    return tuple(
        level_anchors(size, stride, side * 2**level, device)
        for level, (size, stride) in enumerate(zip(sizes, STRIDES, strict=True))
    )


def encode(boxes: Tensor, targets: Tensor, weights: Weights) -> Tensor:
    """Deltas (..., 4) that move `boxes` onto `targets`, times `weights`."""
    size, goal = (boxes[..., 2:] - boxes[..., :2]), (targets[..., 2:] - targets[..., :2])
    shift = (targets[..., :2] + goal / 2 - boxes[..., :2] - size / 2) / size
    return torch.cat([shift, (goal / size).log()], dim=-1) * torch.tensor(weights, device=boxes.device)


def decode(boxes: Tensor, deltas: Tensor, weights: Weights) -> Tensor:
    """The inverse of `encode`: boxes (..., 4) and deltas (..., 4) -> boxes (..., 4); growth is limited to 1000/16."""
    deltas = deltas.float() / torch.tensor(weights, device=boxes.device)
    size = boxes[..., 2:] - boxes[..., :2]
    centre = boxes[..., :2] + size / 2 + deltas[..., :2] * size
    half = size * deltas[..., 2:].clamp(max=MAX_LOG_SIZE).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) cut to an image of (height, width)."""
    x, y = boxes[..., 0::2].clamp(0, size[1]), boxes[..., 1::2].clamp(0, size[0])
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def area(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) -> (...,) px^2, 0 where a box is empty or turned round."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """(..., N, 4) and (..., M, 4) -> (..., N, M); 0 where both are empty."""
    top_left = torch.maximum(first[..., :, None, :2], second[..., None, :, :2])
    bottom_right = torch.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    sides = (bottom_right - top_left).clamp(min=0)
    shared = sides[..., 0] * sides[..., 1]
    union = area(first)[..., :, None] + area(second)[..., None, :] - shared
    return shared / union.clamp(min=1e-6)


def best_iou(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """For every box (N, 4) its largest IoU with the targets (M, 4) and that target's index, (N,) each; 0, 0 without
    targets."""
    if targets.shape[0] == 0:
        return boxes.new_zeros(boxes.shape[0]), torch.zeros(boxes.shape[0], dtype=torch.long, device=boxes.device)
    best, index = iou(boxes, targets).max(dim=1)
    return best, index


def share_inside(boxes: Tensor, mask: Tensor) -> Tensor:
    """Share of each box's area (N,), as far as it lies in the image, that `mask` (H, W) bool covers; borders rounded to
    pixels. 0 for a box that is no number: its step is refused later, by its gradient."""
    height, width = mask.shape
    table = torch.zeros(height + 1, width + 1, device=mask.device)
    table[1:, 1:] = mask.float().cumsum(0).cumsum(1)
    x1, y1, x2, y2 = clip(boxes.nan_to_num(), (height, width)).round().long().unbind(-1)
    covered = table[y2, x2] - table[y1, x2] - table[y2, x1] + table[y1, x1]
    pixels = ((x2 - x1) * (y2 - y1)).clamp(min=1)
    return covered / pixels


def suppress(boxes: Tensor, groups: Tensor, threshold: float, rounds: int = 8) -> Tensor:
    """Which boxes survive NMS inside their group: (..., N) bool, for boxes sorted by falling score.

    A fixed number of matrix rounds (cluster NMS); equal to greedy NMS once `rounds` reaches the longest chain of
    suppressions. boxes: (..., N, 4); groups: (..., N) integer. Empty boxes do not survive.
    """
    clash = (iou(boxes, boxes) > threshold) & (groups[..., :, None] == groups[..., None, :])
    earlier = torch.ones(boxes.shape[-2], boxes.shape[-2], device=boxes.device).triu(1)
    solid = (area(boxes) > 0).float()
    matrix = clash.float() * earlier * solid[..., :, None]
    keep = solid
    for _ in range(rounds):
        keep = solid * (1 - (matrix * keep[..., :, None]).amax(dim=-2))
    return keep > 0


def choose(keep: Tensor, count: int) -> Tensor:
    """keep (..., N) bool -> indices (..., count) of the first kept rows, filled up with the first others; no ties, so
    every back end agrees."""
    number = keep.shape[-1]
    order = number - torch.arange(number, device=keep.device)
    rank = (order + keep.to(order.dtype) * number).float()
    return rank.topk(count, dim=-1).indices
