"""Pixels joined to their neighbours, and holes."""

import numpy as np

from cups_train.motion.links import components, fill_holes


def _box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_components_follow_links_and_not_mere_neighbourhood():
    mask = np.ones((2, 4), bool)
    right, down = np.ones((2, 3), bool), np.ones((1, 4), bool)
    right[:, 1] = False  # a step of depth between columns 1 and 2
    label, count = components(mask, (right, down))
    assert count == 2 and label[0, 0] == label[1, 1] != label[0, 2] == label[1, 3]


def test_holes_are_filled_but_bays_and_large_holes_are_not():
    ring = _box(slice(2, 12), slice(2, 12))
    ring[5:7, 5:7] = False
    assert fill_holes(ring).sum() == 100
    ring[3:11, 3:11] = False
    assert (fill_holes(ring) == ring).all()
    bay = _box(slice(0, 10), slice(0, 10))
    bay[0:3, 4:6] = False  # open to the border of the picture
    assert (fill_holes(bay) == bay).all()
