"""`self_train.semantic_rule: published`: which class of a pixel the published code takes from the teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from cups_train.training.sample import IGNORE


def semantic_labels(probabilities: Tensor, share: float) -> Tensor:
    """The best of the classes that reach `share` times their own maximum over the image, which need not be the pixel's
    best class; 255 without any.

    probabilities: (C, H, W) -> (H, W) uint8.
    """
    thresholds = share * probabilities.amax(dim=(1, 2), keepdim=True)
    best, label = torch.where(probabilities > thresholds, probabilities, torch.zeros_like(probabilities)).max(dim=0)
    return torch.where(best > 0, label, torch.full_like(label, IGNORE)).to(torch.uint8)
