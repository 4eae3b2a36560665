"""The scene's shape as the encoder reads it off one image, in the units of the measured channels."""

from __future__ import annotations

import numpy as np

from cups_train.semantics.clusters import Scaler
from cups_train.semantics.groups import IMAGE_GROUPS, SHAPE, SHAPE_GROUPS

FIRST = sum(group.channels for group in IMAGE_GROUPS)  # of the shape channels in a descriptor


def guessed_shape(standardised: np.ndarray, scaler: Scaler) -> np.ndarray:
    """(SHAPE, h, w) of mean 0 and deviation 1, as the encoder is taught them -> in their own units.

    scaler: of descriptors; it holds their means, and their deviations by the variance that it gives each.
    """
    part = slice(FIRST, FIRST + SHAPE)
    weights = np.concatenate(
        [np.full(group.channels, np.sqrt(group.variance / group.channels), np.float32) for group in SHAPE_GROUPS]
    )
    return standardised * (weights / scaler.scale[part])[:, None, None] + scaler.mean[part, None, None]
