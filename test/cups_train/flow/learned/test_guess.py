"""The refinement's first guess."""

import cv2
import numpy as np
import pytest

from cups_train.flow.classical import ClassicalMatcher
from cups_train.flow.learned.guess import guess
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(128, 192, 200, 200, 95.5, 63.5, 0.2)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 300, (160, 320, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def frames(count: int) -> list[StereoFrame]:
    """A flat scene: disparity 6 px, everything moves 3 px to the right and 1 px down a frame."""
    ground = texture()
    return [
        StereoFrame(
            f"{i:06d}",
            i,
            ground[20 - i : 148 - i, 40 - 3 * i : 232 - 3 * i],
            ground[20 - i : 148 - i, 46 - 3 * i : 238 - 3 * i],
            CAMERA,
        )
        for i in range(count)
    ]


def test_guess_is_the_flow_with_its_round_trip():
    frame, after = frames(2)
    matcher = ClassicalMatcher(0.15)
    matcher.hold(frame, after)
    forward, trip = guess(matcher, frame, after)
    assert np.median(forward, (0, 1)) == pytest.approx([3, 1], abs=0.1) and np.median(trip) < 0.2
