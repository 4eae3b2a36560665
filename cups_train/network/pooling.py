"""RoIAlign over P2..P5: torchvision's operator in training, one gather from a flat table in inference and in the
exported graph."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align

from cups_train.network.boxes import STRIDES, area

SAMPLES = 2  # sampling points a side of a bin, everywhere
LEVEL_SIDES = (112.0, 224.0, 448.0)  # px: RoIs with at least this root of the area are read one level higher


def roi_levels(boxes: Tensor) -> Tensor:
    """(..., 4) -> index (...,) of the level (0 = P2 .. 3 = P5) of each box: floor(4 + log2(sqrt(area) / 224)) clipped
    to 2..5, less 2."""
    size = area(boxes)
    return torch.stack([size >= side * side for side in LEVEL_SIDES]).sum(dim=0)


def pool(levels: tuple[Tensor, ...], boxes: list[Tensor], side: int) -> Tensor:
    """Differentiable RoIAlign. levels: P2.. (B, C, h, w); boxes: B tensors (N_b, 4) -> (sum N_b, C, side, side)."""
    flat = torch.cat(boxes)
    image = torch.cat([torch.full((len(b), 1), i, dtype=flat.dtype, device=flat.device) for i, b in enumerate(boxes)])
    rois, chosen = torch.cat([image, flat], dim=1), roi_levels(flat)
    order = chosen.argsort(stable=True)
    parts = []
    for number, stride in enumerate(STRIDES[:4]):
        part = rois[order[chosen[order] == number]]
        parts.append(roi_align(levels[number].float(), part, side, 1 / stride, SAMPLES, aligned=True))
    return torch.cat(parts)[order.argsort()]


def pool_static(levels: tuple[Tensor, ...], boxes: Tensor, side: int) -> Tensor:
    """The same with fixed shapes, for boxes inside the image. boxes: (B, N, 4) -> (B * N, C, side, side).

    Bilinear weights are products of a row's and a column's, so each RoI is one gather of the cells beside its sampling
    points and two small matrix products, which also average the samples of a bin.
    """
    sizes = [level.shape[-2:] for level in levels[:4]]
    table = torch.cat([level.float().flatten(2) for level in levels[:4]], dim=2).transpose(1, 2)
    return torch.cat([_pool_image(table[row], sizes, boxes[row], side) for row in range(boxes.shape[0])])


def _pool_image(table: Tensor, sizes: list[torch.Size], boxes: Tensor, side: int) -> Tensor:
    """table: (cells of P2..P5, C); boxes: (N, 4) -> (N, C, side, side)."""
    facts = [[sum(h * w for h, w in sizes[:i]), w - 1, h - 1, 1 / STRIDES[i]] for i, (h, w) in enumerate(sizes)]
    start, last_column, last_row, scale = (
        torch.tensor(facts, device=boxes.device).index_select(0, roi_levels(boxes)).split(1, dim=1)
    )
    scaled = boxes * scale - 0.5
    columns, column_weights = _read_points(scaled[:, 0:1], scaled[:, 2:3], last_column, side)
    rows, row_weights = _read_points(scaled[:, 1:2], scaled[:, 3:4], last_row, side)
    lines = (start + rows * (last_column + 1)).long()
    cells = table.index_select(0, (lines[:, :, None] + columns.long()[:, None, :]).flatten())
    number, points, channels = len(boxes), columns.shape[1], table.shape[1]
    by_row = torch.bmm(row_weights, cells.reshape(number, points, points * channels))
    by_column = column_weights[:, None] @ by_row.reshape(number, side, points, channels)
    return by_column.permute(0, 3, 1, 2)


def _read_points(low: Tensor, high: Tensor, last: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Sampling points of intervals low..high (N, 1), held inside 0..last: cells (N, P) and weights (N, side, P) of each
    bin."""
    number = side * SAMPLES
    step = (torch.arange(number, device=low.device) + 0.5) / number
    position = torch.minimum((low + step * (high - low)).clamp(min=0), last)
    cell = position.floor()
    part = position - cell
    share = torch.eye(side, device=low.device).repeat_interleave(SAMPLES, dim=1) / SAMPLES
    cells = torch.cat([cell, torch.minimum(cell + 1, last)], dim=1)
    return cells, torch.cat([share * (1 - part)[:, None], share * part[:, None]], dim=2)
