"""Which anchors and proposals belong to which object, and which of them are sampled."""
from __future__ import annotations

import torch
from torch import Tensor

from cups_train.network.boxes import best_iou, iou, share_inside
from cups_train.network.spec import IGNORE, LossOptions, Target

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1
NEAR_OBJECT = 0.1  # an anchor from this IoU on belongs to the surroundings of a labelled object


def certain_background(boxes: Tensor, target: Target, share: float) -> Tensor:
    """(N,) bool: boxes of which more than `share` of the area is supervised as stuff: no object without label can fill them."""
    return share_inside(boxes, (target.semantic > 0) & (target.semantic != IGNORE)) > share


def anchor_labels(anchors: Tensor, target: Target, options: LossOptions) -> tuple[Tensor, Tensor]:
    """Labels (A,) in {1, 0, -1} and matched object (A,): IoU >= 0.7 or an object's best anchor positive, < 0.3 negative.

    With `drop_rpn` the plain rule would leave no negative at all, so an anchor below 0.3 stays negative where it is known
    to hold no object of its own: beside a labelled object (0.1 <= IoU < 0.3: badly placed), or on stuff-supervised pixels
    for more than `background_share` of its area. All others (thing pixels without an instance, unlabelled areas) are ignored.
    """
    labels = torch.full((len(anchors),), NEGATIVE, device=anchors.device)
    best, index = best_iou(anchors, target.boxes)
    if options.drop_rpn:
        known = (best >= NEAR_OBJECT) | certain_background(anchors, target, options.background_share)
        labels[~known] = IGNORED
    labels[best >= 0.3] = IGNORED
    if len(target.boxes):
        overlaps = iou(anchors, target.boxes)
        top = overlaps.max(dim=0).values.clamp(min=1e-3)
        forced = (overlaps >= top - 1e-6).any(dim=1)
        labels[forced | (best >= 0.7)] = POSITIVE
    return labels, index


def sample(labels: Tensor, count: int, positive_share: float, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Random indices of at most count * positive_share positives, and of negatives up to `count` together."""
    positive, negative = (labels == POSITIVE).nonzero()[:, 0], (labels == NEGATIVE).nonzero()[:, 0]
    positive = _draw(positive, int(count * positive_share), generator)
    return positive, _draw(negative, count - len(positive), generator)


def _draw(rows: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator is not None else rows.device
    return rows[torch.randperm(len(rows), generator=generator, device=device)[:count].to(rows.device)]
