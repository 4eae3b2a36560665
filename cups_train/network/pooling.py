"""RoIAlign over P2..P5: torchvision's operator in training, one gather from a flat table in inference and in the exported graph."""
from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align

from cups_train.network.boxes import STRIDES, area

SAMPLES = 2  # sampling points a side of a bin, everywhere
LEVEL_SIDES = (112.0, 224.0, 448.0)  # px: RoIs with at least this root of the area are read one level higher


def roi_levels(boxes: Tensor) -> Tensor:
    """Index of the level (0 = P2 .. 3 = P5) of each box: floor(4 + log2(sqrt(area) / 224)) clipped to 2..5, less 2."""
    size = area(boxes)
    return sum((size >= side * side).long() for side in LEVEL_SIDES)  # type: ignore[return-value]


def pool(levels: tuple[Tensor, ...], boxes: list[Tensor], side: int) -> Tensor:
    """Differentiable RoIAlign. levels: P2.. (B, C, h, w); boxes: B tensors (N_b, 4) -> (sum N_b, C, side, side)."""
    flat = torch.cat(boxes)
    image = torch.cat([torch.full((len(b), 1), i, dtype=flat.dtype, device=flat.device) for i, b in enumerate(boxes)])
    rois, chosen = torch.cat([image, flat], dim=1), roi_levels(flat)
    order = chosen.argsort(stable=True)
    parts = []
    for number, stride in enumerate(STRIDES[:4]):
        part = rois[order[chosen[order] == number]]
        parts.append(roi_align(levels[number], part.to(levels[number].dtype), side, 1 / stride, SAMPLES, aligned=True))
    return torch.cat(parts)[order.argsort()]


def pool_static(levels: tuple[Tensor, ...], boxes: Tensor, side: int) -> Tensor:
    """The same with fixed shapes, for boxes inside the image. boxes: (B, N, 4) -> (B * N, C, side, side)."""
    batch, count = boxes.shape[:2]
    table, sizes = torch.cat([level.flatten(2) for level in levels[:4]], dim=2), [level.shape[-2:] for level in levels[:4]]
    total, channels = table.shape[2], table.shape[1]
    chosen = roi_levels(boxes).reshape(-1)

    def look_up(values: list[float]) -> Tensor:
        return torch.tensor(values, device=boxes.device)[chosen].reshape(-1, 1)

    starts = [float(sum(h * w for h, w in sizes[:i])) for i in range(4)]
    start, width, height = look_up(starts), look_up([float(w) for _, w in sizes]), look_up([float(h) for h, _ in sizes])
    scaled = boxes.reshape(-1, 4) * look_up([1 / stride for stride in STRIDES[:4]]) - 0.5
    step = (torch.arange(side * SAMPLES, device=boxes.device) + 0.5) / (side * SAMPLES)
    columns = _neighbours(scaled[:, 0:1] + step * (scaled[:, 2:3] - scaled[:, 0:1]), width)
    rows = _neighbours(scaled[:, 1:2] + step * (scaled[:, 3:4] - scaled[:, 1:2]), height)
    first = torch.arange(batch, device=boxes.device).repeat_interleave(count).reshape(-1, 1) * total + start.long()
    cells = table.transpose(1, 2).reshape(batch * total, channels)
    pooled = torch.zeros((), device=boxes.device)
    for row, row_weight in rows:
        line = first + row * width.long()
        for column, column_weight in columns:
            index = (line[:, :, None] + column[:, None, :]).reshape(-1)
            weight = (row_weight[:, :, None] * column_weight[:, None, :]).reshape(-1, 1)
            pooled = pooled + cells.index_select(0, index) * weight
    pooled = pooled.reshape(batch * count, side, SAMPLES, side, SAMPLES, channels).mean(dim=(2, 4))
    return pooled.permute(0, 3, 1, 2)


def _neighbours(position: Tensor, limit: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two cells beside each position and their weights; positions are held inside 0..limit - 1."""
    held = torch.minimum(position.clamp(min=0), limit - 1)
    low = held.floor()
    high = torch.minimum(low + 1, limit - 1)
    return (low.long(), 1 - (held - low)), (high.long(), held - low)
