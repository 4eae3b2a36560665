"""Suppression of masks that overlap better ones."""

import numpy as np

from cups_train.published.matrix_nms import matrix_nms


def _box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_matrix_nms_keeps_the_better_of_two_and_of_part_and_whole():
    a, b = _box(slice(2, 12), slice(2, 12)), _box(slice(2, 12), slice(3, 13))  # IoU 9 / 11
    part, other = _box(slice(3, 6), slice(4, 7)), _box(slice(14, 19), slice(20, 29))
    masks = np.stack([b, a, other, part])
    assert matrix_nms(masks, np.array([0.9, 1.0, 0.8, 0.7]), contained=0.8) == [1, 2]
    assert matrix_nms(np.zeros((0, 4, 4), bool), np.zeros(0)) == []
