"""A sample with nothing in it."""

import numpy as np
import pytest

from cups_train.training.sample import Sample


def blank_sample(height: int, width: int, things: tuple[int, ...] = ()) -> Sample:
    image, semantic, instance = (
        np.zeros((height, width, 3), np.uint8),
        np.ones((height, width), np.uint8),
        np.zeros((height, width), np.uint16),
    )
    return Sample(image, semantic, instance, np.array(things, np.int64))


@pytest.fixture
def blank():
    """(height, width, things) -> black, stuff of channel 1 everywhere, no instance drawn."""
    return blank_sample
