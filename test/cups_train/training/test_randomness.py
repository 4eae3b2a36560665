"""Generators by what they are for."""

from __future__ import annotations

from cups_train.training.randomness import generator


def test_generators_depend_on_every_argument():
    draws = [
        generator(*key).integers(2**62) for key in ((1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a", 0, 0))
    ]
    assert len(set(draws)) == 5
