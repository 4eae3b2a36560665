"""Region proposal network: torchvision's head, own losses, proposals with fixed shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import batched_nms

from cups_train.network.boxes import RATIOS, area, choose, clip, decode, encode, suppress
from cups_train.network.matching import anchor_labels, sample
from cups_train.network.spec import LossOptions, Target

NMS_IOU = 0.65
DELTA_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
LARGEST_TOPK = 1000  # candidates of one level, and of all levels together


class ProposalNetwork(nn.Module):
    """Objectness and boxes of every anchor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.head = RPNHead(channels, len(RATIOS))

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        """Per level: logits (B, A) and deltas (B, A, 4) in the order of the anchors."""
        logits, deltas = self.head(list(levels))
        flat_logits = [x.permute(0, 2, 3, 1).flatten(1).float() for x in logits]
        flat_deltas = [x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4).float() for x in deltas]
        return flat_logits, flat_deltas


def rpn_losses(
    logits: Tensor, deltas: Tensor, anchors: Tensor, targets: list[Target], options: LossOptions
) -> dict[str, Tensor]:
    """Binary cross entropy and L1, sums over the sampled anchors divided by rpn_samples * B. logits: (B, A); deltas:
    (B, A, 4)."""
    objectness, box = logits.sum() * 0, deltas.sum() * 0
    for row, target in enumerate(targets):
        labels, index = anchor_labels(anchors, target, options)
        positive, negative = sample(labels, options.rpn_samples, 0.5, options.generator)
        objectness = (
            objectness
            + functional.softplus(-logits[row, positive]).sum()
            + functional.softplus(logits[row, negative]).sum()
        )
        if len(positive):
            goal = encode(anchors[positive], target.boxes[index[positive]], DELTA_WEIGHTS)
            box = box + (deltas[row, positive] - goal).abs().sum()
    scale = 1 / (options.rpn_samples * len(targets))
    return {"rpn_cls": objectness * scale, "rpn_box": box * scale}


def training_proposals(
    logits: list[Tensor], deltas: list[Tensor], anchors: tuple[Tensor, ...], size: tuple[int, int], rois: int
) -> list[Tensor]:
    """Proposals (N_b, 4) of each image after per-level NMS: 8 * rois at most (2000 a level before NMS, 4000 after it
    for 512 RoIs)."""
    before, after = min(2000, 8 * rois), min(4000, 8 * rois)
    found = []
    with torch.no_grad():
        for row in range(logits[0].shape[0]):
            picks = [level[row].topk(min(before, level.shape[1])) for level in logits]
            boxes = torch.cat(
                [
                    decode(a[p.indices], d[row, p.indices], DELTA_WEIGHTS)
                    for a, d, p in zip(anchors, deltas, picks, strict=True)
                ]
            )
            scores = torch.cat([p.values for p in picks])
            level = torch.cat([torch.full_like(p.indices, i) for i, p in enumerate(picks)])
            boxes = clip(boxes, size)
            solid = area(boxes) > 0
            boxes, scores, level = boxes[solid], scores[solid], level[solid]
            found.append(boxes[batched_nms(boxes, scores, level, NMS_IOU)[:after]])
    return found


def static_proposals(
    logits: list[Tensor], deltas: list[Tensor], anchors: tuple[Tensor, ...], size: tuple[int, int], count: int
) -> tuple[Tensor, Tensor]:
    """Per level logits (B, A), deltas (B, A, 4), anchors (A, 4) -> exactly `count` proposals an image: boxes (B, N, 4),
    and which are valid, (B, N) bool. Fixed shapes.
    """
    before = min(LARGEST_TOPK, 8 * count)
    boxes, scores, groups = [], [], []
    for number, (logit, delta, anchor) in enumerate(zip(logits, deltas, anchors, strict=True)):
        score, index = logit.topk(min(before, logit.shape[1]), dim=1)
        rows = index[:, :, None].expand(-1, -1, 4)
        boxes.append(
            decode(anchor.expand(logit.shape[0], -1, -1).gather(1, rows), delta.gather(1, rows), DELTA_WEIGHTS)
        )
        scores.append(score)
        groups.append(torch.full_like(index, number))
    score, index = torch.cat(scores, dim=1).topk(min(before, sum(s.shape[1] for s in scores)), dim=1)
    box = clip(torch.cat(boxes, dim=1).gather(1, index[:, :, None].expand(-1, -1, 4)), size)
    keep = suppress(box, torch.cat(groups, dim=1).gather(1, index), NMS_IOU)
    chosen = choose(keep, min(count, box.shape[1]))
    return box.gather(1, chosen[:, :, None].expand(-1, -1, 4)), keep.gather(1, chosen)
