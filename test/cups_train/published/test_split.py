"""The published split on numbers worked out by hand."""

from __future__ import annotations

import numpy as np

from cups_train.published.split import are_things, ratios


def test_published_threshold_at_27_classes() -> None:
    """Shares 0.081 and 0.079 of the sum: the first is a thing, the second is not (0.08 at K = 27)."""
    shares = np.array([0.081, 0.079, *[0.84 / 25] * 25])
    ratio = ratios((shares * 1e6).astype(int).astype(float), np.full(27, 1e6))
    assert np.flatnonzero(are_things(ratio, 2.16)).tolist() == [0]


def test_without_a_pixel_inside_nothing_is_a_thing() -> None:
    assert not are_things(ratios(np.zeros(2), np.array([0.0, 5.0])), 2.16).any()
