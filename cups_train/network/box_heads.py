"""Three cascaded box heads with class-agnostic boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import TwoMLPHead

from cups_train.network.boxes import area, best_iou, choose, clip, decode, encode, suppress
from cups_train.network.drop_loss import roi_weights
from cups_train.network.matching import sample
from cups_train.network.pooling import pool, pool_static
from cups_train.network.spec import LossOptions, Target

BOX_SIDE = 7
MATCH_IOU = (0.5, 0.6, 0.7)
DELTA_WEIGHTS = ((10.0, 10.0, 5.0, 5.0), (20.0, 20.0, 10.0, 10.0), (30.0, 30.0, 15.0, 15.0))
FOREGROUND_SHARE = 0.25
NMS_IOU = 0.5
CANDIDATES = 300  # proposals that reach the last NMS


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects of a batch (B, N), or of one image (N), whose score is 0 where there is none."""

    boxes: Tensor  # (..., N, 4) px
    scores: Tensor  # (..., N), falling
    thing: Tensor  # (..., N) int64, index into classes.things


class BoxHead(nn.Module):
    """One stage: RoI features -> class logits (R, T + 1), background last, and deltas (R, 4)."""

    def __init__(self, channels: int, hidden: int, things: int) -> None:
        super().__init__()
        self.layers = TwoMLPHead(channels * BOX_SIDE**2, hidden)
        self.cls_score, self.bbox_pred = nn.Linear(hidden, things + 1), nn.Linear(hidden, 4)
        for layer, deviation in ((self.cls_score, 0.01), (self.bbox_pred, 0.001)):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C, BOX_SIDE, BOX_SIDE) -> logits (R, T + 1) and deltas (R, 4), float32."""
        x = self.layers(pooled)
        return self.cls_score(x).float(), self.bbox_pred(x).float()


@dataclass(frozen=True, eq=False)
class Rois:
    """Proposals of one image with what they should become."""

    boxes: Tensor  # (R, 4)
    thing: Tensor  # (R,) int64, T on background
    index: Tensor  # (R,) int64, matched object; meaningless on background


def match(boxes: Tensor, target: Target, threshold: float, background: int) -> Rois:
    """Label proposals (R, 4) by their best object."""
    best, index = best_iou(boxes, target.boxes)
    nothing = torch.full_like(index, background)
    thing = torch.where(best >= threshold, target.thing[index], nothing) if len(target.thing) else nothing
    return Rois(boxes, thing, index)


def sample_rois(proposals: Tensor, target: Target, options: LossOptions, background: int) -> Rois:
    """Proposals (N, 4) and all target boxes, labelled at IoU 0.5; `rois` of them, at most a quarter foreground,
    foreground first."""
    found = match(torch.cat([proposals, target.boxes]), target, MATCH_IOU[0], background)
    rows = torch.cat(sample((found.thing != background).long(), options.rois, FOREGROUND_SHARE, options.generator))
    return Rois(found.boxes[rows], found.thing[rows], found.index[rows])


class ScaleGradient(torch.autograd.Function):
    """The identity, whose gradient is scaled."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: float) -> Tensor:  # type: ignore[no-untyped-def]
        """A tensor of any shape -> the same."""
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        """A gradient of any shape -> the scaled one, and none for the scale."""
        return gradient * ctx.scale, None


class Cascade(nn.ModuleList):
    """The three stages."""

    def __init__(self, channels: int, hidden: int, things: int, scoring: str = "any_thing") -> None:
        super().__init__(BoxHead(channels, hidden, things) for _ in MATCH_IOU)
        self.things, self.scoring = things, scoring

    def losses(
        self,
        levels: tuple[Tensor, ...],
        rois: list[Rois],
        targets: list[Target],
        size: tuple[int, int],
        options: LossOptions,
    ) -> dict[str, Tensor]:
        """Classification (with DropLoss) and box losses of the three stages, from levels (B, C, h, w) and the sampled
        RoIs of each image."""
        found: dict[str, Tensor] = {}
        for stage, head in enumerate(self):
            if stage:
                rois = [
                    match(r.boxes[area(r.boxes) > 0], target, MATCH_IOU[stage], self.things)
                    for r, target in zip(rois, targets, strict=True)
                ]
            pooled = ScaleGradient.apply(pool(levels, [r.boxes for r in rois], BOX_SIDE), 1 / len(MATCH_IOU))
            logits, deltas = head(pooled)
            parts = deltas.detach().split([len(r.boxes) for r in rois])
            refined = [decode(r.boxes, d, DELTA_WEIGHTS[stage]) for r, d in zip(rois, parts, strict=True)]
            weights = torch.cat([roi_weights(b, t, options) for b, t in zip(refined, targets, strict=True)])
            found[f"cls_{stage}"], found[f"box_{stage}"] = _stage_losses(logits, deltas, rois, targets, weights, stage)
            rois = [Rois(clip(b, size), r.thing, r.index) for b, r in zip(refined, rois, strict=True)]
        return found

    def detect(
        self, levels: tuple[Tensor, ...], boxes: Tensor, valid: Tensor, size: tuple[int, int], count: int
    ) -> Detections:
        """Proposals (B, N, 4), valid (B, N) -> (B, count) detections. Fixed shapes."""
        batch, number = boxes.shape[:2]
        probability = torch.zeros((), device=boxes.device)
        for stage, head in enumerate(self):
            logits, deltas = head(pool_static(levels, boxes, BOX_SIDE))
            probability = probability + logits.softmax(dim=1) / len(MATCH_IOU)
            boxes = clip(decode(boxes, deltas.reshape(batch, number, 4), DELTA_WEIGHTS[stage]), size)
        scores = probability.reshape(batch, number, -1)[:, :, : self.things] * valid[:, :, None]
        return best_detections(boxes, scores, count, self.scoring)


def best_detections(boxes: Tensor, scores: Tensor, count: int, scoring: str = "any_thing") -> Detections:
    """NMS, then the best `count`, padded with score 0. boxes: (B, N, 4); scores: (B, N, T), probabilities of the thing
    classes.

    `any_thing`: an object's score is the probability that it is any thing, its class the likeliest one, and NMS runs
    over all objects. `per_class` (published): each class has its own probability and its own NMS. Where several pseudo
    classes share one kind of object (cars of different colours), that falls below every threshold though the object is
    sure; where classes are real, two of them may overlap.
    """
    if scoring == "per_class":
        things = scores.shape[2]
        score, place = scores.flatten(1).topk(min(CANDIDATES, scores.shape[1] * things), dim=1)
        row, thing = torch.div(place, things, rounding_mode="floor"), place % things
        groups = thing
    else:
        score, row = scores.sum(dim=2).clamp(max=1).topk(min(CANDIDATES, scores.shape[1]), dim=1)
        thing = scores.argmax(dim=2).gather(1, row)
        groups = torch.zeros_like(row)
    box = boxes.gather(1, row[:, :, None].expand(-1, -1, 4))
    keep = suppress(box, groups, NMS_IOU) & (score > 0)
    chosen = choose(keep, min(count, score.shape[1]))
    short = count - chosen.shape[1]
    kept = (score * keep).gather(1, chosen)
    return Detections(
        functional.pad(box.gather(1, chosen[:, :, None].expand(-1, -1, 4)), (0, 0, 0, short)),
        functional.pad(kept, (0, short)),
        functional.pad(thing.gather(1, chosen), (0, short)),
    )


def _stage_losses(
    logits: Tensor, deltas: Tensor, rois: list[Rois], targets: list[Target], weights: Tensor, stage: int
) -> tuple[Tensor, Tensor]:
    """Sums divided by the number of ALL RoIs, dropped ones included."""
    thing, boxes = torch.cat([r.thing for r in rois]), torch.cat([r.boxes for r in rois])
    number, background = max(1, len(thing)), logits.shape[1] - 1
    classification = (functional.cross_entropy(logits, thing, reduction="none") * weights).sum() / number
    matched = torch.cat([t.boxes[r.index] if len(t.boxes) else r.boxes for r, t in zip(rois, targets, strict=True)])
    foreground = thing != background
    goal = encode(boxes[foreground], matched[foreground], DELTA_WEIGHTS[stage])
    return classification, (deltas[foreground] - goal).abs().sum() / number
