import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from cups_train.semantics import joining
from cups_train.semantics.joining import clusters_for, join


def test_with_full_weight_of_sizes_it_is_ward(monkeypatch):
    monkeypatch.setattr(joining, "SIZE_POWER", 1.0)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 3))
    for count in (3, 7, 20):
        ours = join(centres, np.ones(40, int), count)
        theirs = fcluster(linkage(centres, "ward"), count, "maxclust")
        assert len(np.unique(ours)) == count == len(np.unique(list(zip(ours, theirs, strict=True)), axis=0))


def test_the_class_of_most_cells_comes_first_and_sizes_count():
    centres = np.array([[0.0], [1.0], [10.0], [12.0], [30.0]])
    assert join(centres, np.array([5, 6, 40, 30, 1]), 3).tolist() == [1, 1, 0, 0, 2]
    assert join(centres, np.array([5, 6, 40, 30, 1]), 5).tolist() == [3, 2, 0, 1, 4]
    # the far one has so few cells that joining it costs less than joining two large classes
    assert join(np.array([[0.0], [4.0], [9.0]]), np.array([1000, 1000, 1]), 2).tolist() == [1, 0, 0]


def test_clusters_without_cells_join_the_nearest():
    assert join(np.array([[0.0], [1.0], [10.0], [8.0]]), np.array([3, 0, 9, 0]), 2).tolist() == [1, 1, 0, 0]
    # three are asked for
    assert join(np.array([[0.0], [1.0], [10.0], [8.0]]), np.array([3, 0, 9, 0]), 3).tolist() == [1, 2, 0, 0]


def test_only_few_classes_are_joined():
    assert [clusters_for(count) for count in (2, 27, 40, 41, 200)] == [120, 120, 120, 41, 200]
