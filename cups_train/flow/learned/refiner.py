"""A small network that refines a first guess of flow.

Classical matching is right nearly everywhere; what is left is to see where it fails and what to take instead. So the
network is shown, for each cell of 4 x 4 px, how well the images match around the guess at three scales, the
displacements that would match best there, and what trusted neighbours say; it answers with a weight for each of these
proposals and a rest of its own. It begins to help after tens of steps, also on a CPU, where an optical flow network
from scratch needs hundreds of thousands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 4  # px
REACH = 2  # steps of the search to each side
SCALES = (1, 2, 4)  # px a step
AROUND = (5, 11, 23)  # cells: sides of the squares whose trusted guesses are averaged
RELIABLE = 2.0  # px, a round trip that halves the trust, about
SHARP = 40.0  # how sharply the best displacement stands out
CHANGES = len(SCALES) + len(AROUND)


class Refiner(nn.Module):
    """About 0.17 million parameters. Works on any size."""

    def __init__(self, channels: int = 48, updates: int = 2) -> None:
        super().__init__()
        self.channels, self.updates = channels, updates
        self.context = nn.Sequential(
            nn.Conv2d(3 * CELL**2, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels // 2, 3, padding=1), nn.ReLU()
        )
        seen = len(SCALES) * (2 * REACH + 1) ** 2 + 2 * CHANGES + 1
        layers: list[nn.Module] = [nn.Conv2d(seen + channels // 2, channels, 1), nn.ReLU()]
        for dilation in (1, 2, 4, 8, 1):
            layers += [nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.answer = nn.Conv2d(channels, CHANGES + 2, 1)
        self.weights = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 9 * CELL**2, 1)
        )
        nn.init.zeros_(self.answer.weight)  # the network begins as the guess itself
        assert self.answer.bias is not None
        nn.init.zeros_(self.answer.bias)

    def forward(self, first: Tensor, second: Tensor, guess: Tensor, trip: Tensor) -> Tensor:
        """Refined fields, (B, 2, H, W) px.

        first, second: (B, 3, H, W) float RGB in [0, 1]; guess: (B, 2, H, W) px, first -> second; trip: (B, 1, H, W) px,
        length of the guess's round trip.
        """
        height, width = first.shape[-2:]
        pad = (0, -width % (2 * CELL), 0, -height % (2 * CELL))
        first, second, flow, trip = (functional.pad(x, pad, mode="replicate") for x in (first, second, guess, trip))
        context = self.context(functional.pixel_unshuffle(first - 0.5, CELL))
        trust = torch.exp(-functional.avg_pool2d(trip, CELL) / RELIABLE)
        about = torch.cat([context, trust], 1)
        here, there = detail(first), detail(second)
        for _ in range(self.updates):
            costs = match_costs(here, fetch(there, flow.detach()))
            # (B, 6, 2, h, w) px
            proposals = torch.stack([*best_displacements(costs), *trusted_means(flow.detach(), trust)], 1)
            hidden = self.body(torch.cat([*costs, (proposals / CELL).clamp(-4, 4).flatten(1, 2), about], 1))
            answer = self.answer(hidden)
            change = (answer[:, :CHANGES, None] * proposals).sum(1) + answer[:, CHANGES:]
            flow = flow + upsample(change, self.weights(hidden))
        return flow[..., :height, :width]


def detail(image: Tensor) -> Tensor:
    """Grey less its surroundings' mean, so that exposure and vignette hardly matter: (B, 1, H, W), about -1..1."""
    grey = image.mean(1, keepdim=True)
    local = grey - functional.avg_pool2d(grey, 17, 1, 8, count_include_pad=False)
    return local / (local.abs() + 0.05)


def match_costs(here: Tensor, warped: Tensor) -> list[Tensor]:
    """Mean difference of two images of detail (B, 1, H, W) around a cell, for 5 x 5 displacements: (B, 25, H/4, W/4)
    for each of SCALES."""
    found = []
    for scale in SCALES:
        a, b = (functional.avg_pool2d(image, scale) if scale > 1 else image for image in (here, warped))
        rows, columns = a.shape[-2:]
        padded = functional.pad(b, (REACH,) * 4, mode="replicate")
        shifted = torch.cat(
            [padded[..., y : y + rows, x : x + columns] for y in range(2 * REACH + 1) for x in range(2 * REACH + 1)], 1
        )
        difference = (a - shifted).abs()
        cells = functional.avg_pool2d(difference, CELL // scale) if scale < CELL else difference
        found.append(functional.avg_pool2d(cells, 3, 1, 1, count_include_pad=False))
    return found


def best_displacements(costs: list[Tensor]) -> list[Tensor]:
    """Soft minimum of each scale's costs: (B, 2, h, w) px each, (x, y)."""
    steps = torch.arange(-REACH, REACH + 1, device=costs[0].device, dtype=costs[0].dtype)
    offsets = torch.stack([steps.repeat(len(steps)), steps.repeat_interleave(len(steps))], 1)  # (25, 2)
    return [
        scale * torch.einsum("bkhw,kc->bchw", torch.softmax(-SHARP * cost, 1), offsets)
        for scale, cost in zip(SCALES, costs, strict=True)
    ]


def trusted_means(flow: Tensor, trust: Tensor) -> list[Tensor]:
    """How far the mean of the trusted flow around each cell lies from the cell's own: (B, 2, h, w) px for each of
    AROUND."""
    cells = functional.avg_pool2d(flow, CELL)
    found = []
    for side in AROUND:
        weight = functional.avg_pool2d(trust, side, 1, side // 2) + 1e-4
        found.append((functional.avg_pool2d(trust * cells, side, 1, side // 2) + 1e-4 * cells) / weight - cells)
    return found


def upsample(change: Tensor, logits: Tensor) -> Tensor:
    """Each pixel takes a convex mean of the 3 x 3 cells around it, as in RAFT: (B, 2, h, w) and (B, 144, h, w) -> (B,
    2, 4 h, 4 w)."""
    batch, _, rows, columns = change.shape
    weights = logits.view(batch, 1, 9, CELL, CELL, rows, columns).softmax(2)
    near = functional.unfold(functional.pad(change, (1, 1, 1, 1), mode="replicate"), 3).view(
        batch, 2, 9, 1, 1, rows, columns
    )
    return (weights * near).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, CELL * rows, CELL * columns)


def fetch(image: Tensor, flow: Tensor) -> Tensor:
    """`image` (B, C, H, W) at x + flow(x), bilinear, 0 outside; flow: (B, 2, H, W) px."""
    height, width = image.shape[-2:]
    v, u = torch.meshgrid(
        torch.arange(height, device=image.device, dtype=flow.dtype),
        torch.arange(width, device=image.device, dtype=flow.dtype),
        indexing="ij",
    )
    x, y = (u + flow[:, 0]) * (2 / max(width - 1, 1)) - 1, (v + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    return functional.grid_sample(image, torch.stack([x, y], -1), align_corners=True)
