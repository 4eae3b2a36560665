"""Semantic heads: one map at stride 4, from P2 alone or by towers over P2..P5 (published)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_train.network.backbone import group_norm
from cups_train.network.encoder import convolution
from cups_train.network.spec import IGNORE

STRIDE = 4


class SemanticHead(nn.Module):
    """P2..P5 -> logits (B, S + 1, H / 4, W / 4); channel 0 is "some thing"."""

    def __init__(self, channels: int, width: int, stuff: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_tower(channels, width, ups) for ups in range(4))
        self.predictor = nn.Conv2d(width, stuff + 1, 1)
        nn.init.kaiming_normal_(self.predictor.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.predictor.bias)

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        """P2.., (B, C, h, w) -> logits (B, S + 1, H / 4, W / 4)."""
        total = self.levels[0](levels[0])
        for tower, level in zip(list(self.levels)[1:], levels[1:4], strict=True):
            total = total + tower(level)
        return self.predictor(total)


class DirectHead(nn.Module):
    """P2 -> logits (B, S + 1, H / 4, W / 4), as the encoder names its clusters: a pixel's class is any of the clusters
    that it is joined from."""

    def __init__(self, channels: int, clusters: tuple[int, ...]) -> None:
        super().__init__()
        self.clusters = clusters  # of each channel; they lie side by side
        self.features = convolution(channels, channels, 1)
        self.predictor = nn.Conv2d(channels, sum(clusters), 1)

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        """P2.. (B, C, h, w) -> (B, S + 1, h, w)."""
        logits = self.predictor(self.features(levels[0]))
        if max(self.clusters) == 1:
            return logits
        return torch.cat([part.logsumexp(1, keepdim=True) for part in logits.float().split(list(self.clusters), 1)], 1)


def upsample(logits: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 4 h, 4 w), bilinear, in float32."""
    return functional.interpolate(logits.float(), scale_factor=STRIDE, mode="bilinear", align_corners=False)


def semantic_loss(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross entropy over the supervised pixels, 0 where there is none. logits: (B, C, H, W); target: (B, H, W);
    weights: (C,) of the classes."""
    if not bool((target != IGNORE).any()):
        return logits.sum() * 0
    return functional.cross_entropy(logits, target, weight=weights, ignore_index=IGNORE)


def on_grid(target: Tensor) -> Tensor:
    """(B, H, W) -> (B, H / 4, W / 4): the target at the middle of each cell."""
    return target[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def _tower(channels: int, width: int, ups: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(max(1, ups)):
        conv = nn.Conv2d(channels if number == 0 else width, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers += [conv, group_norm(width), nn.ReLU()]
        if ups:
            layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    return nn.Sequential(*layers)
