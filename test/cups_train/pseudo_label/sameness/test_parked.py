import numpy as np

from cups_train.pseudo_label.sameness.parked import kinds_of_clusters


def test_a_cluster_in_no_object_takes_the_kind_of_what_looks_like_it() -> None:
    votes = np.array([[9, 1], [0, 4], [0, 0], [0, 0]])
    likeness = np.array([[3, 0, 0, 0], [0, 3, 0, 0], [0, 0.5, 3, 0], [0, 0, 0, 3.0]])
    assert kinds_of_clusters(votes, likeness, np.array([True, True, True, True])).tolist() == [0, 1, 1, 0]
    assert kinds_of_clusters(votes, likeness, np.array([False, True, True, False])).tolist() == [-1, 1, 1, -1]


def test_without_objects_there_is_no_kind() -> None:
    assert kinds_of_clusters(np.zeros((2, 3), int), np.eye(2), np.array([True, True])).tolist() == [-1, -1]
