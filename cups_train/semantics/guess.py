"""The scene's shape as the encoder reads it off one image, in the units of the measured channels."""
from __future__ import annotations

import numpy as np

from cups_train.semantics.channels import IMAGE_GROUPS
from cups_train.semantics.clusters import Scaler
from cups_train.semantics.shape import SHAPE, SHAPE_GROUPS

FIRST = sum(count for _, count, _ in IMAGE_GROUPS)  # of the shape channels in `describe`


def guessed_shape(standardised: np.ndarray, scaler: Scaler) -> np.ndarray:
    """(SHAPE, h, w) of mean 0 and deviation 1, as the encoder is taught them -> in their own units.

    scaler: of the channels of `describe`; it holds their means, and their deviations by the variance that it gives each.
    """
    part = slice(FIRST, FIRST + SHAPE)
    weights = np.concatenate([np.full(count, np.sqrt(variance / count), np.float32) for _, count, variance in SHAPE_GROUPS])
    return standardised * (weights / scaler.scale[part])[:, None, None] + scaler.mean[part, None, None]
