"""Networks as matchers: which passes they are asked for, and what disparity two flows make."""

import numpy as np
import pytest

from cups_train.flow.learned.matcher import NetworkMatcher, disparity_of
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(128, 128, 100, 100, 63.5, 63.5, 0.2)


def images(seed: int, height: int = 128, width: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def frame(seed: int) -> StereoFrame:
    return StereoFrame(f"{seed:06d}", seed, images(2 * seed), images(2 * seed + 1), CAMERA)


class Counting:
    def __init__(self):
        self.seen = []

    def fields(self, passes):
        self.seen.append([(p.direction, *[f.key for f in p.frames]) for p in passes])
        return [np.full((*p.frames[0].left.shape[:2], 2), len(p.direction), np.float32) for p in passes]


def test_second_pair_needs_four_passes_and_the_way_back_none():
    network = Counting()
    matcher = NetworkMatcher(network)
    a, b, c = frame(0), frame(1), frame(2)
    matcher.match(a, b)
    matcher.match(b, c)
    matcher.match(c, b)
    assert [len(seen) for seen in network.seen] == [6, 4, 0]
    assert set(network.seen[1]) == {
        ("flow", "000001", "000002"),
        ("flow", "000002", "000001"),
        ("left", "000002"),
        ("right", "000002"),
    }


def test_disparity_from_flow_by_hand():
    """5 px to the left in the right image; in one column the other direction disagrees, in one row the flow climbs."""
    to_right, to_left = np.zeros((8, 40, 2), np.float32), np.zeros((8, 40, 2), np.float32)
    to_right[..., 0], to_left[..., 0] = -5, 5
    to_left[:, 20] = 3, 0
    to_right[6, :, 1] = 2
    found = disparity_of(to_right, to_left)
    error = found.error
    assert (found.px == 5).all()
    assert error[0, 10] == 0 and error[0, 25] == pytest.approx(2)  # 25 - 5 = 20
    assert np.isinf(error[:, :5]).all() and np.isinf(error[6]).all()
