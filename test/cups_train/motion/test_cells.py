"""The spatial term on the working grid."""

from types import SimpleNamespace

import numpy as np
import pytest

from cups_train.motion.cells import WINDOW, reach_of, spatial_penalty


def test_spatial_term_equals_the_search_over_the_whole_window():
    rng = np.random.default_rng(0)
    height, width, shape = 60, 110, (7, 12)
    rows = ((2 * np.arange(shape[0]) + 1) * height) // (2 * shape[0])
    columns = ((2 * np.arange(shape[1]) + 1) * width) // (2 * shape[1])
    cells = SimpleNamespace(shape=shape, rows=rows, columns=columns)
    assigned = rng.random(shape) < 0.06
    sigma = 0.055 * width
    want = np.full((height, width), np.inf)
    for v in range(height):
        for u in range(width):
            for i, j in zip(*np.nonzero(assigned), strict=True):
                if abs(i - v * shape[0] // height) <= WINDOW and abs(j - u * shape[1] // width) <= WINDOW:
                    want[v, u] = min(want[v, u], ((v - rows[i]) ** 2 + (u - columns[j]) ** 2) / sigma**2)
    assert spatial_penalty(cells, assigned, (height, width)) == pytest.approx(want, rel=1e-5)
    assert np.isinf(want).any()
    few = assigned & (np.arange(shape[1]) > 8)
    box, whole = reach_of(cells, few, (height, width)), spatial_penalty(cells, few, (height, width))
    assert np.array_equal(spatial_penalty(cells, few, (height, width), box), whole[box])
    whole[box] = np.inf
    assert np.isinf(whole).all()
