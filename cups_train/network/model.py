"""Panoptic Cascade Mask R-CNN: losses for training, one static formulation for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_ros.model import MASK_SIDE
from cups_ros.types import RawOutput
from cups_train.network.backbone import OWN, Backbone, OwnBackbone
from cups_train.network.box_heads import Cascade, Detections, sample_rois
from cups_train.network.boxes import pyramid_anchors
from cups_train.network.mask_head import MaskHead
from cups_train.network.rpn import ProposalNetwork, rpn_losses, static_proposals, training_proposals
from cups_train.network.semantic_head import DirectHead, SemanticHead, on_grid, semantic_loss, upsample
from cups_train.network.spec import SIZE_STEP, LossOptions, NetworkSpec, Target

PUBLISHED = LossOptions()
BatchNorm = nn.modules.batchnorm._BatchNorm  # the plain one, and the one that several processes share


@dataclass(frozen=True, eq=False)
class Features:
    """What all heads read."""

    levels: tuple[Tensor, ...]  # P2..P6, (B, C, h, w), of the padded images
    size: tuple[int, int]  # (height, width) of the images without padding


class RawTensors(NamedTuple):
    """Answers for a batch, with fixed shapes: rows without an instance have score 0."""

    boxes: Tensor  # (B, N, 4) float32 px
    scores: Tensor  # (B, N) float32
    class_id: Tensor  # (B, N) int32, pseudo class
    masks: Tensor  # (B, N, 28, 28) float32
    semantic: Tensor  # (B, H, W) int32, pseudo class of stuff, 0 = some thing

    def raw_output(self, row: int) -> RawOutput:
        """Numpy arrays of one image, for cups_ros.fusion.fuse."""
        boxes, scores, class_id, masks, semantic = (np.asarray(tensor[row].detach().cpu()) for tensor in self)
        return RawOutput(boxes, scores, class_id, masks, semantic)


class PanopticNetwork(nn.Module):
    """Backbone, semantic head and, where there are thing classes, proposals, cascade and mask head."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec, self.things = spec, len(spec.classes.things)
        self.norms_frozen = False
        own, stuff = spec.backbone == OWN, len(spec.classes.stuff)
        self.backbone = (
            OwnBackbone(spec.channels, spec.widths, spec.blocks)
            if own
            else Backbone(spec.backbone, spec.norm, spec.channels)
        )
        self.semantic_head = (
            DirectHead(spec.channels, spec.clusters or (1,) * (stuff + 1))
            if spec.semantic_head == "direct"
            else SemanticHead(spec.channels, spec.semantic_channels, stuff)
        )
        if self.things:
            self.rpn = ProposalNetwork(spec.channels)
            self.box_heads = Cascade(spec.channels, spec.hidden, self.things, spec.scoring)
            self.mask_head = MaskHead(spec.channels, spec.mask_convs, self.things, not spec.mask_classes)
        self.register_buffer(
            "thing_ids", torch.tensor(spec.classes.things or (0,), dtype=torch.int32), persistent=False
        )
        self.register_buffer("stuff_ids", torch.tensor((0, *spec.classes.stuff), dtype=torch.int32), persistent=False)

    def train(self, mode: bool = True) -> PanopticNetwork:
        """As always, but frozen norm layers keep their running statistics."""
        super().train(mode)
        if self.norms_frozen:
            for module in self.modules():
                if isinstance(module, BatchNorm):
                    module.eval()
        return self

    def freeze_backbone(self) -> None:
        """Stage 3: backbone, pyramid and all norm layers stay as they are; the heads' other parameters train."""
        self.norms_frozen = True
        for parameter in self.backbone.parameters():
            parameter.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.GroupNorm | BatchNorm):
                for parameter in module.parameters():
                    parameter.requires_grad_(False)
        self.train(self.training)

    def features(self, images: Tensor) -> Features:
        """(B, 3, H, W) float RGB in 0..1 -> pyramid; padded right and below with zeros after normalisation to multiples
        of 32."""
        height, width = images.shape[-2:]
        padded = functional.pad(self.backbone.normalise(images), (0, -width % SIZE_STEP, 0, -height % SIZE_STEP))
        return Features(self.backbone(padded), (height, width))

    def anchors(self, features: Features) -> tuple[Tensor, ...]:
        """Anchors (N, 4) of each of P2..P6 for these features."""
        return pyramid_anchors(
            [tuple(x.shape[-2:]) for x in features.levels], self.spec.anchor_size, features.levels[0].device
        )

    def detect(self, features: Features, anchors: tuple[Tensor, ...] | None = None) -> Detections:
        """(B, K) detections after NMS, padded with score 0."""
        batch, count = features.levels[0].shape[0], self.spec.detections
        if not self.things:
            empty = torch.zeros(batch, count, device=features.levels[0].device)
            return Detections(empty[:, :, None].expand(-1, -1, 4).clone(), empty, empty.long())
        logits, deltas = self.rpn(features.levels)
        boxes, valid = static_proposals(
            logits, deltas, anchors or self.anchors(features), features.size, self.spec.proposals
        )
        return self.box_heads.detect(features.levels, boxes, valid, features.size, count)

    def masks(self, features: Features, boxes: Tensor, thing: Tensor) -> Tensor:
        """Mask probabilities (B, N, 28, 28) of given boxes (B, N, 4) in pixels and thing indices (B, N)."""
        if not self.things:
            return torch.zeros(*thing.shape, MASK_SIDE, MASK_SIDE, device=boxes.device)
        return self.mask_head.probabilities(features.levels, boxes, thing)

    def semantic(self, features: Features) -> Tensor:
        """Logits (B, S + 1, H, W) at the size of the images."""
        return upsample(self.semantic_head(features.levels))[:, :, : features.size[0], : features.size[1]]

    @torch.no_grad()
    def semantic_logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float RGB in 0..1 -> logits (B, S + 1, h, w) on the grid of the finest level, with running
        statistics whatever the mode."""
        training = self.training
        self.eval()
        logits: Tensor = self.semantic_head(self.features(images).levels).float()
        self.train(training)
        return logits

    @torch.no_grad()
    def infer(self, images: Tensor, anchors: tuple[Tensor, ...] | None = None) -> RawTensors:
        """(B, 3, H, W) float RGB in 0..1 -> answers, with running statistics whatever the mode."""
        training = self.training
        if training:
            self.eval()
        features = self.features(images)
        found = self.detect(features, anchors)
        masks = self.masks(features, found.boxes, found.thing)
        semantic = self.stuff_ids[self.semantic(features).argmax(dim=1)]
        if training:
            self.train()
        return RawTensors(found.boxes, found.scores, self.thing_ids[found.thing], masks, semantic)

    def losses(self, images: Tensor, targets: list[Target], options: LossOptions = PUBLISHED) -> dict[str, Tensor]:
        """All losses of images (B, 3, H, W) by name; their plain sum is the loss (the weight of the semantic one is
        inside)."""
        features = self.features(images)
        found = {
            "semantic": options.semantic_weight
            * self._semantic_loss(features, torch.stack([t.semantic for t in targets]), options)
        }
        if not self.things:
            return found
        anchors = self.anchors(features)
        scores, deltas = self.rpn(features.levels)
        found |= rpn_losses(torch.cat(scores, dim=1), torch.cat(deltas, dim=1), torch.cat(anchors), targets, options)
        proposals = training_proposals(scores, deltas, anchors, features.size, options.rois)
        rois = [sample_rois(p, t, options, self.things) for p, t in zip(proposals, targets, strict=True)]
        found |= self.box_heads.losses(features.levels, rois, targets, features.size, options)
        found["mask"] = self.mask_head.loss(features.levels, rois, targets)
        return found

    def _semantic_loss(self, features: Features, target: Tensor, options: LossOptions) -> Tensor:
        if options.semantic_stride == 1:
            return semantic_loss(self.semantic(features), target, options.class_weights)
        target = on_grid(target)
        logits = self.semantic_head(features.levels)[:, :, : target.shape[1], : target.shape[2]]
        return semantic_loss(logits.float(), target, options.class_weights)
