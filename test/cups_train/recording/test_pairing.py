import numpy as np

from cups_train.recording.pairing import find_steps, nearest, pair_stamps
from cups_train.recording.stored import TopicIndex


def _index(*stamps):
    return TopicIndex(np.array(stamps, np.int64), np.arange(len(stamps)) + 1000)


def test_pairs_nearest_stamps_within_the_slop():
    pairs = pair_stamps(_index(0, 100, 200, 300), _index(4, 98, 216, 299), slop_ns=15)
    assert pairs.left_stamp.tolist() == [0, 100, 300]  # 200 and 216 are too far apart
    assert pairs.right_stamp.tolist() == [4, 98, 299]
    assert pairs.number.tolist() == [0, 1, 2]
    assert pairs.left_log.tolist() == [1000, 1001, 1003]


def test_a_right_image_has_one_partner():
    pairs = pair_stamps(_index(0, 8, 100), _index(6, 100), slop_ns=15)
    assert list(zip(pairs.left_stamp, pairs.right_stamp, strict=True)) == [(8, 6), (100, 100)]


def test_first_of_equal_stamps_counts_and_backward_stamps_are_sorted():
    pairs = pair_stamps(_index(100, 0, 100, 200), _index(0, 100, 200, 200), slop_ns=5)
    assert pairs.left_stamp.tolist() == [0, 100, 200]
    assert pairs.left_order.tolist() == [1, 0, 3]
    assert pairs.right_order.tolist() == [0, 1, 2]


def test_no_pairs():
    assert pair_stamps(_index(), _index(1), 5).number.size == 0
    assert pair_stamps(_index(0, 100), _index(50, 150), 5).number.size == 0


def test_nearest_against_all_distances():
    rng = np.random.default_rng(0)
    for size in (1, 2, 17):
        among, values = np.unique(rng.integers(0, 1000, size)), rng.integers(-50, 1050, 40)
        distances = np.abs(values[:, None] - among)
        assert (distances[np.arange(40), nearest(values, among)] == distances.min(1)).all()


def test_steps_and_gaps():
    stamps = np.array([0, 100, 205, 300, 500, 600])
    step, follows = find_steps(stamps, np.arange(6), 1, 1.8)
    assert step == 100
    assert follows.tolist() == [True, True, True, False, True, False]


def test_a_clock_set_back_interleaves_no_drives():
    """Two drives with overlapping stamps: read as 0..59 and 60..119, sorted they alternate."""
    stamps = np.concatenate([np.arange(60) * 100, np.arange(60) * 100 + 40])
    by_stamp = np.argsort(stamps)
    _, follows = find_steps(stamps[by_stamp], by_stamp, 1, 1.8)
    assert not follows.any()


def test_stride_keeps_the_numbers():
    pairs = pair_stamps(_index(*range(0, 700, 100)), _index(*range(0, 700, 100)), 5).strided(3)
    assert pairs.number.tolist() == [0, 3, 6]
    step, follows = find_steps(pairs.left_stamp, pairs.left_order, 3, 1.8)
    assert (step, follows.tolist()) == (300, [True, True, False])


def test_one_pair_has_no_step():
    step, follows = find_steps(np.array([5]), np.array([0]), 1, 1.8)
    assert (step, follows.tolist()) == (0, [False])
