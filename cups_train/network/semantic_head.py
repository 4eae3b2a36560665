"""Semantic FPN head: one map at stride 4 from P2..P5."""
from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cups_train.network.backbone import group_norm
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


def upsample(logits: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 4 h, 4 w), bilinear, in float32."""
    return functional.interpolate(logits.float(), scale_factor=STRIDE, mode="bilinear", align_corners=False)


def semantic_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy over the supervised pixels, 0 where there is none. logits: (B, C, H, W); target: (B, H, W)."""
    if not bool((target != IGNORE).any()):
        return logits.sum() * 0
    return functional.cross_entropy(logits, target, ignore_index=IGNORE)


def _tower(channels: int, width: int, ups: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(max(1, ups)):
        conv = nn.Conv2d(channels if number == 0 else width, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers += [conv, group_norm(width), nn.ReLU()]
        if ups:
            layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    return nn.Sequential(*layers)
