import numpy as np
import pytest

from cups_train.semantics.head.probe import calibrated_sharpness, fit_probe, mutual_information


def test_the_probe_finds_directions_whatever_the_length():
    rng = np.random.default_rng(0)
    directions = np.eye(4)[rng.choice(4, 2000, p=[0.4, 0.3, 0.2, 0.1])]
    codes = (directions + rng.normal(0, 0.05, directions.shape)) * rng.uniform(0.1, 10, (2000, 1))
    centres = fit_probe(codes, 4, np.random.default_rng(1))
    np.testing.assert_allclose(centres, np.eye(4), atol=0.05)  # the largest cluster first


def test_mutual_information_by_hand():
    a = np.array([0, 0, 1, 1])
    assert mutual_information(a, a, 2) == pytest.approx(np.log(2))
    assert mutual_information(a, np.array([0, 1, 0, 1]), 2) == pytest.approx(0)
    assert mutual_information(np.zeros(4, int), np.zeros(4, int), 2) == 0  # collapsed: they agree and tell nothing


def test_probabilities_are_as_sure_as_views_agree():
    cosine = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    alpha = calibrated_sharpness(cosine, 0.8)
    p = np.exp(alpha) / (np.exp(alpha) + 1 + np.exp(-alpha))
    assert p == pytest.approx(0.8, abs=1e-3)
