"""Gaps of disparity, filled by hand."""

import numpy as np

from cups_train.flow.fill import fill_disparity


def test_filling_takes_the_further_neighbour():
    disp = np.array([[9, 0, 4, 0], [0, 0, 0, 0]], np.float32)
    assert fill_disparity(disp, disp > 0).tolist() == [[9, 4, 4, 4], [9, 4, 4, 4]]
    assert not fill_disparity(np.ones((2, 2), np.float32), np.zeros((2, 2), bool)).any()
