"""DropLoss: a proposal that overlaps no pseudo object may lie on an undiscovered one, so it is not punished."""

from __future__ import annotations

from torch import Tensor

from cups_train.network.boxes import best_iou
from cups_train.network.matching import explained
from cups_train.network.spec import LossOptions, Target


def roi_weights(boxes: Tensor, target: Target, options: LossOptions) -> Tensor:
    """Weight of each RoI's classification loss (R,): 0 where the best IoU with all target boxes is <= drop_iou (CUPS,
    stage 2).

    boxes: (R, 4) refined boxes, not clipped. An image without targets gives 0 everywhere. With `known_background` a RoI
    of which all but 1 - `background_share` is stuff or labelled object keeps weight 1: no undiscovered object can fill
    it.
    """
    if options.drop_iou is None:
        return boxes.new_ones(len(boxes))
    kept = best_iou(boxes, target.boxes)[0] > options.drop_iou
    if options.known_background:
        kept = kept | explained(boxes, target, options.background_share)
    return kept.to(boxes.dtype)
