"""The panoptic merge of cups_ros.fusion with fixed shapes, for the exported graph.

The sequential rule decides instance after instance: it is drawn over what is still free, and dropped where too little
of it is. A decision depends on earlier rows alone, so that rounds in which all rows decide at once, each on the
decisions of the round before, settle row after row: after r rounds every chain of up to r instances that hide each
other is decided as by the sequential rule.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cups_ros.fusion import SOME_THING
from cups_ros.types import Classes, Thresholds

ROUNDS = 4


class Merged(NamedTuple):
    """One panoptic map at the size of the network's input."""

    panoptic: Tensor  # (H, W) int32: 0 void, else 1 + row of `segments`
    segments: Tensor  # (N + R, 7) float32: class, score, area, x, y, width, height; area 0: no such segment


class GraphFusion(nn.Module):
    """Boxes (N, 4), scores (N,) falling, class_id (N,), masks (N, M, M) and semantic (H, W) -> Merged."""

    def __init__(self, classes: Classes, thresholds: Thresholds) -> None:
        super().__init__()
        self.thresholds = thresholds
        self.merged = classes.merged
        self.register_buffer("standing", torch.from_numpy(classes.merge_table()).to(torch.int32), persistent=False)
        regions = classes.regions or (len(classes) + 1,)
        seen = [SOME_THING if region == classes.unknown else region for region in regions]  # in the semantic map
        self.register_buffer("regions", torch.tensor(regions, dtype=torch.int32), persistent=False)
        self.register_buffer("seen", torch.tensor(seen, dtype=torch.int32), persistent=False)
        one_hot = torch.zeros(len(regions), len(classes) + 2)
        one_hot[torch.arange(len(regions)), self.seen.long()] = 1
        self.register_buffer("one_hot", one_hot, persistent=False)

    def forward(self, boxes: Tensor, scores: Tensor, class_id: Tensor, masks: Tensor, semantic: Tensor) -> Merged:
        """As the class says: boxes (N, 4), scores (N,), class_id (N,), masks (N, M, M), semantic (H, W)."""
        number, (height, width) = boxes.shape[0], semantic.shape
        if self.merged:
            class_id = self.standing.index_select(0, class_id.long())
            semantic = self.standing.index_select(0, semantic.flatten().long()).reshape(height, width)
        inside = paste(boxes, masks, (height, width), self.thresholds.mask).float()
        winner = self._draw(inside, scores)
        region_area = ((semantic[None] == self.seen[:, None, None]) & (winner == 0)[None]).float().sum(dim=(1, 2))
        kept = (region_area > 0) & (region_area >= self.thresholds.stuff_area * height * width)
        rows = torch.arange(len(self.regions), device=boxes.device) + number + 1
        region_row = (
            ((kept * rows).float() @ self.one_hot).index_select(0, semantic.flatten().long()).reshape(height, width)
        )
        ids = torch.where(winner > 0, number + 1 - winner, region_row).to(torch.int32)
        class_of_row = torch.cat([class_id, self.regions]).float()
        return Merged(ids, _table(ids, class_of_row, torch.cat([scores, torch.ones_like(region_area)])))

    def _draw(self, inside: Tensor, scores: Tensor) -> Tensor:
        """(N, H, W) 0 or 1 -> (H, W): N - row of the instance that is seen there, 0 where there is none."""
        number = inside.shape[0]
        rank = number - torch.arange(number, device=inside.device, dtype=torch.float32)
        area = inside.sum(dim=(1, 2))
        wanted = ((scores >= self.thresholds.score) & (scores > 0) & (area > 0)).float()
        keep = wanted
        for _ in range(ROUNDS):
            winner = (inside * (rank * keep)[:, None, None]).amax(dim=0)
            visible = (inside * (winner[None] <= rank[:, None, None])).sum(dim=(1, 2))
            keep = wanted * ((visible > 0) & (1 - visible / area.clamp(min=1) <= self.thresholds.overlap))
        return (inside * (rank * keep)[:, None, None]).amax(dim=0)


def paste(boxes: Tensor, masks: Tensor, size: tuple[int, int], threshold: float) -> Tensor:
    """Probabilities (N, M, M) inside boxes (N, 4) -> (N, H, W) bool, sampled at pixel centres, bilinear, zero
    outside."""
    rows = _weights(boxes[:, 1], boxes[:, 3], size[0], masks.shape[1])
    columns = _weights(boxes[:, 0], boxes[:, 2], size[1], masks.shape[2])
    return torch.bmm(torch.bmm(rows, masks), columns.transpose(1, 2)) >= threshold


def _weights(low: Tensor, high: Tensor, length: int, side: int) -> Tensor:
    """Bilinear weights (N, length, side) of the mask's cells for every pixel of intervals low..high (N,); 0 on pixels
    that do not touch them."""
    pixel = torch.arange(length, device=low.device, dtype=torch.float32)
    cell = (pixel + 0.5 - low[:, None]) / (high - low).clamp(min=1e-3)[:, None] * side - 0.5
    touched = (pixel >= low.floor()[:, None]) & (pixel < high.ceil()[:, None]) & (high > low)[:, None]
    hat = (1 - (cell[:, :, None] - torch.arange(side, device=low.device)).abs()).clamp(min=0)
    return hat * touched[:, :, None].float()


def _table(ids: Tensor, class_of_row: Tensor, scores: Tensor) -> Tensor:
    """(R, 7): class, score, area, x, y, width, height of the pixels with id 1 + row."""
    rows = torch.arange(len(class_of_row), device=ids.device, dtype=torch.int32) + 1
    mine = (ids[None] == rows[:, None, None]).float()
    area = mine.sum(dim=(1, 2))
    left, right = _extent(mine.amax(dim=1))
    top, bottom = _extent(mine.amax(dim=2))
    seen = (area > 0).float()
    return torch.stack([class_of_row, scores, area, left, top, right - left, bottom - top], dim=1) * seen[:, None]


def _extent(touched: Tensor) -> tuple[Tensor, Tensor]:
    """(R, L) 0 or 1 -> first place and one past the last (R,)."""
    length = touched.shape[1]
    place = torch.arange(length, device=touched.device, dtype=torch.float32)
    return length - (touched * (length - place)).amax(dim=1), (touched * (place + 1)).amax(dim=1)
