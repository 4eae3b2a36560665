"""Which anchors and proposals belong to which object, and which of them are sampled."""

from __future__ import annotations

import torch
from torch import Tensor

from cups_train.network.boxes import best_iou, iou, share_inside
from cups_train.network.spec import IGNORE, LossOptions, Target

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1
NEAR_OBJECT = 0.1  # an anchor from this IoU on belongs to the surroundings of a labelled object


def explained(boxes: Tensor, target: Target, share: float) -> Tensor:
    """(N,) bool: boxes of which more than `share` of the area is stuff-supervised or inside a labelled object.

    No object without label can fill such a box; where its IoU with the labelled ones is low, it is certainly
    background.
    """
    known = (target.semantic > 0) & (target.semantic != IGNORE)
    return share_inside(boxes, known | target.masks.any(dim=0)) > share


def anchor_labels(anchors: Tensor, target: Target, options: LossOptions) -> tuple[Tensor, Tensor]:
    """Labels (A,) in {1, 0, -1} and matched object (A,): IoU >= `rpn_iou` or an object's best anchor positive, < 0.3
    negative.

    With `drop_rpn` an anchor below 0.3 stays negative only where it is known to hold no object of its own, else it is
    ignored: beside a labelled object (0.1 <= IoU < 0.3: badly placed), or where all but 1 - `background_share` of its
    area is explained (`explained`). So thing pixels without an instance and unlabelled areas teach nothing, and roads,
    walls and sky still teach "background": without them the network would have no negatives and call everything an
    object.
    """
    labels = torch.full((len(anchors),), NEGATIVE, device=anchors.device)
    best, index = best_iou(anchors, target.boxes)
    if options.drop_rpn:
        known = (best >= NEAR_OBJECT) | explained(anchors, target, options.background_share)
        labels[~known] = IGNORED
    labels[best >= 0.3] = IGNORED
    if len(target.boxes):
        overlaps = iou(anchors, target.boxes)
        top = overlaps.max(dim=0).values.clamp(min=1e-3)
        forced = (overlaps >= top - 1e-6).any(dim=1)
        labels[forced | (best >= options.rpn_iou)] = POSITIVE
    return labels, index


def sample(
    labels: Tensor, count: int, positive_share: float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """labels (N,) -> random indices (M,) of at most count * positive_share positives, and of negatives up to `count`
    together."""
    positive, negative = (labels == POSITIVE).nonzero()[:, 0], (labels == NEGATIVE).nonzero()[:, 0]
    positive = _draw(positive, int(count * positive_share), generator)
    return positive, _draw(negative, count - len(positive), generator)


def _draw(rows: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator is not None else rows.device
    return rows[torch.randperm(len(rows), generator=generator, device=device)[:count].to(rows.device)]
