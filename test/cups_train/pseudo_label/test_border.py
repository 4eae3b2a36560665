"""Objects at the border, on maps written by hand."""

from __future__ import annotations

import numpy as np

from cups_train.pseudo_label.border import clear_border


def test_border_is_a_share_of_the_width() -> None:
    instances = np.ones((10, 1280), np.uint16)
    cleared = clear_border(instances, 0.025)
    assert not cleared[:, :32].any() and not cleared[:, -32:].any() and cleared[:, 32:-32].all() and instances.all()
    assert (clear_border(instances, 0.0) == instances).all()


def test_slivers_left_by_the_border_go_and_thin_objects_elsewhere_stay() -> None:
    instances = np.zeros((20, 40), np.uint16)
    instances[:, :6] = 1  # 2 columns remain
    instances[:, 20:22] = 2  # thin, but whole
    assert np.unique(clear_border(instances, 0.1)).tolist() == [0, 2]
