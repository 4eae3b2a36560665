"""A flat scene, and as much of a recording of it as training reads."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(128, 192, 200, 200, 95.5, 63.5, 0.2)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 300, (160, 320, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def flat_frames(count: int) -> list[StereoFrame]:
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


class Recorded:
    """As much of a recording as training reads."""

    name, fingerprint = "flat", "of these frames"

    def __init__(self, count: int):
        self.all = flat_frames(count)
        self.stamps = [SimpleNamespace(key=f.key, follows=i + 1 < count) for i, f in enumerate(self.all)]

    def stereo(self, key: str) -> StereoFrame:
        return self.all[int(key)]


@pytest.fixture
def frames():
    """count -> so many frames of the scene."""
    return flat_frames


@pytest.fixture
def recorded():
    """count -> a recording of so many frames."""
    return Recorded
