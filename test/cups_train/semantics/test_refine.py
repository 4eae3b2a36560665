import numpy as np
import pytest

from cups_train.semantics.refine import refine


@pytest.mark.parametrize("method", ["guided", "crf"])
def test_refinement_moves_a_coarse_border_to_the_edge_of_the_image(method):
    image = np.full((128, 256, 3), 30, np.uint8)
    image[:, 131:] = 220
    probability = np.zeros((2, 32, 64), np.float32)
    probability[0, :, :32], probability[1, :, 32:] = 1, 1  # border at pixel 128, the edge is at 131
    ids = refine(probability, image, method)
    assert ids.dtype == np.uint8 and ids.shape == (128, 256)
    assert (ids[8:-8, :130] == 1).all() and (ids[8:-8, 132:] == 2).all()
    plain = refine(probability, image, "none")
    assert (plain[:, :126] == 1).all() and (plain[:, 130:] == 2).all()


@pytest.mark.parametrize("method", ["guided", "crf"])
def test_refinement_removes_a_lone_cell_on_a_plain_surface(method):
    probability = np.zeros((2, 16, 32), np.float32)
    probability[0] = 1
    probability[:, 8, 16] = 0, 1
    assert (refine(probability, np.full((64, 128, 3), 90, np.uint8), method) == 1).all()
