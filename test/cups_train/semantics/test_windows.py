import numpy as np
import pytest

from cups_train.semantics.windows import blend, starts, whole_weight


@pytest.mark.parametrize("length", [32, 33, 64, 100, 129, 416])
def test_windows_cover_everything_and_stay_inside(length):
    covered = np.zeros(length, int)
    for start in starts(length, 64, 32):
        assert start >= 0 and (start + 64 <= length or length < 64)
        covered[start : start + 64] += 1
    assert covered.min() >= 1
    assert len(set(starts(length, 64, 32))) == len(starts(length, 64, 32))


def test_blend_of_equal_windows_is_their_value_and_overlaps_are_between():
    parts = np.stack([np.full((1, 4, 4), 2.0), np.full((1, 4, 4), 6.0)]).astype(np.float32)
    mixed = blend(parts, [(0, 0), (0, 2)], 4, 6)[0]
    np.testing.assert_allclose(mixed[:, :2], 2)
    np.testing.assert_allclose(mixed[:, 4:], 6)
    # column 2: weight 2/4 in the first window, 1/4 in the second; rows weigh at most 1/4 or 2/4
    np.testing.assert_allclose(mixed[1, 2], (2 * 2 + 6 * 1) / 3)
    np.testing.assert_allclose(mixed[0, 2], 4)


def test_weight_of_the_whole_image_falls_with_depth_and_is_0_at_infinity():
    # depth scale 100 px m: disparities 100, 20, 0 are 1 m, 5 m, infinitely far
    np.testing.assert_allclose(whole_weight(np.float32([100, 20, 0]), 100.0), [1 / 2, 1 / 6, 0])
