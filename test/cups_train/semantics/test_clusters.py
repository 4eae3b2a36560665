import numpy as np
import pytest

from cups_train.semantics.clusters import Clusters, Scaler, kmeans, nearest
from cups_train.types import ChannelGroup


def test_scaler_gives_each_group_its_variance():
    rows = np.random.default_rng(0).normal(3, 7, (5000, 4)).astype(np.float32) * np.float32([1, 5, 0.1, 2])
    scaled = Scaler.fit(rows, (ChannelGroup("a", 3, 1.5), ChannelGroup("b", 1, 0.25)))(rows)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.var(0), [0.5, 0.5, 0.5, 0.25], rtol=1e-3)


def test_kmeans_finds_separate_blobs_largest_first_and_is_seeded():
    rng = np.random.default_rng(1)
    places = np.float32([(0, 0), (10, 0), (0, 10), (10, 10)])
    rows = np.concatenate(
        [
            place + rng.normal(0, 0.3, (n, 2)).astype(np.float32)
            for place, n in zip(places, (400, 300, 200, 100), strict=True)
        ]
    )
    centres, spread = kmeans(rows, 4, np.random.default_rng(2))
    np.testing.assert_allclose(centres, places, atol=0.1)
    assert spread == pytest.approx(2 * 0.3**2, rel=0.1)
    again, _ = kmeans(rows, 4, np.random.default_rng(2))
    np.testing.assert_array_equal(centres, again)


def test_kmeans_refuses_more_clusters_than_samples():
    with pytest.raises(ValueError, match="at least 5 samples"):
        kmeans(np.zeros((4, 2), np.float32), 5, np.random.default_rng(0))


def test_maps_take_the_nearest_centre():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(6, 5)).astype(np.float32)
    channels = rng.normal(size=(5, 4, 7)).astype(np.float32)
    rows = channels.reshape(5, -1).T.copy()
    brute = ((rows[:, None] - centres) ** 2).sum(-1)
    index, distance = nearest(rows, centres)
    np.testing.assert_array_equal(index, brute.argmin(1))
    np.testing.assert_allclose(distance, brute.min(1), rtol=1e-4)
    clusters = Clusters(Scaler(np.full(5, 2, np.float32), np.full(5, 0.5, np.float32)), centres)
    assert clusters.count == 6
    np.testing.assert_array_equal(clusters.nearest(channels * 2 + 2).ravel(), brute.argmin(1))
    np.testing.assert_allclose(clusters.distances(rows), brute, rtol=1e-4)
