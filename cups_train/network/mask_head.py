"""Mask head: one 28x28 map for any thing, or for each thing class (published)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads
from torchvision.ops import roi_align

from cups_ros.model import MASK_SIDE
from cups_train.network.box_heads import Rois
from cups_train.network.pooling import SAMPLES, pool, pool_static
from cups_train.network.spec import Target

POOLED_SIDE = MASK_SIDE // 2


class MaskHead(nn.Module):
    """RoI features (R, C, 14, 14) -> mask logits (R, T, 28, 28), or (R, 1, 28, 28) where all `things` share one
    mask."""

    def __init__(self, channels: int, convs: int, things: int, shared: bool) -> None:
        super().__init__()
        self.things, self.shared = things, shared
        self.convs = MaskRCNNHeads(channels, (channels,) * convs, dilation=1)
        self.upsample, self.predictor = (
            nn.ConvTranspose2d(channels, channels, 2, 2),
            nn.Conv2d(channels, 1 if shared else things, 1),
        )
        nn.init.kaiming_normal_(self.upsample.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.predictor.weight, std=0.001)
        for layer in (self.upsample, self.predictor):
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, C, 14, 14) -> logits (R, T, 28, 28), float32."""
        return self.predictor(self.upsample(self.convs(pooled)).relu()).float()

    def loss(self, levels: tuple[Tensor, ...], rois: list[Rois], targets: list[Target]) -> Tensor:
        """Binary cross entropy on the object's class channel, mean over the foreground RoIs of the first stage. levels:
        P2.. (B, C, h, w)."""
        chosen = [r.thing < self.things for r in rois]
        boxes = [r.boxes[c] for r, c in zip(rois, chosen, strict=True)]
        if sum(len(b) for b in boxes) == 0:
            return torch.stack([p.sum() for p in self.parameters()]).sum() * 0
        logits = self(pool(levels, boxes, POOLED_SIDE))
        thing = torch.cat([r.thing[c] for r, c in zip(rois, chosen, strict=True)])
        goal = torch.cat(
            [crop_masks(t.masks, r.index[c], b) for t, r, c, b in zip(targets, rois, chosen, boxes, strict=True)]
        )
        own = logits[:, 0] if self.shared else logits[torch.arange(len(thing), device=thing.device), thing]
        return functional.binary_cross_entropy_with_logits(own, goal)

    def probabilities(self, levels: tuple[Tensor, ...], boxes: Tensor, thing: Tensor) -> Tensor:
        """Masks (B, N, 28, 28) in 0..1 of the given boxes (B, N, 4) and thing indices (B, N). Fixed shapes."""
        logits = self(pool_static(levels, boxes, POOLED_SIDE))
        if self.shared:
            return logits.reshape(*thing.shape, MASK_SIDE, MASK_SIDE).sigmoid()
        channel = thing.reshape(-1, 1, 1, 1).expand(-1, 1, MASK_SIDE, MASK_SIDE)
        return logits.gather(1, channel).reshape(*thing.shape, MASK_SIDE, MASK_SIDE).sigmoid()


def crop_masks(masks: Tensor, index: Tensor, boxes: Tensor) -> Tensor:
    """Masks (N, H, W) bool, read inside boxes (R, 4) at 28x28: (R, 28, 28) float 0 or 1."""
    if len(boxes) == 0:
        return boxes.new_zeros(0, MASK_SIDE, MASK_SIDE)
    rois = torch.cat([index[:, None].to(boxes.dtype), boxes], dim=1)
    return (roi_align(masks[:, None].to(boxes.dtype), rois, MASK_SIDE, 1.0, SAMPLES, aligned=True)[:, 0] >= 0.5).to(
        boxes.dtype
    )
