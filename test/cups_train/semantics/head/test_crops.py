import numpy as np
import pytest

from cups_train.semantics.head.crops import five_crops, neighbours
from cups_train.semantics.prepared import load as load_prepared


def test_depth_stands_beside_the_features(dense):
    _, frames = dense
    inverse = np.asarray(frames[0].inverse_depth())
    assert inverse.shape == frames[0].height().shape == (16, 32) and frames[0].features().shape == (16, 16, 32)
    assert np.median(inverse) == pytest.approx(8 / 50, rel=0.05)  # 8 px of disparity at f b = 50 px m
    np.testing.assert_array_equal(frames[0].height(), load_prepared(frames[0].path).shape[0].astype(np.float32))
    assert frames[0].camera.width == 32


def test_neighbours_lie_in_other_frames():
    means = np.array([[1.0, 0], [1, 0.01], [1, 0.5], [0, 1], [0.1, 1]] + [[-1.0, 0.01 * i] for i in range(8)])
    frames = np.array([0, 0, 9, 9, 20, *range(30, 110, 10)])
    found = neighbours(means, frames)
    assert found.shape == (13, 7)
    assert found[0, 0] == 2 and 1 not in found[0]  # the other crop of its own frame is nearer, but left out
    assert found[3, 0] == 4


def test_crops_lie_in_the_corners_and_the_middle():
    crops = five_crops(3, 16, 32)
    assert [(c.frame, c.top, c.left, c.side) for c in crops] == [
        (3, 0, 0, 12),
        (3, 0, 20, 12),
        (3, 4, 0, 12),
        (3, 4, 20, 12),
        (3, 2, 10, 12),
    ]
    maps = np.arange(16 * 32).reshape(1, 16, 32)
    np.testing.assert_array_equal(crops[3].of(maps)[0], maps[0, 4:16, 20:32])
