"""The refinement's first guess."""

import numpy as np
import pytest

from cups_train.flow.classical import ClassicalMatcher
from cups_train.flow.learned.guess import guess


def test_guess_is_the_flow_with_its_round_trip(frames):
    frame, after = frames(2)
    matcher = ClassicalMatcher(0.15)
    matcher.hold(frame, after)
    forward, trip = guess(matcher, frame, after)
    assert np.median(forward, (0, 1)) == pytest.approx([3, 1], abs=0.1) and np.median(trip) < 0.2
