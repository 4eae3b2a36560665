import numpy as np

from cups_train.pseudo_label.sameness.transitions import Step, away_from_borders, chain, count_transitions, kept_share


def moved(columns: float, shape: tuple[int, int] = (4, 6)) -> Step:
    flow = np.zeros((*shape, 2), np.float32)
    flow[..., 0] = columns
    return Step(flow, np.ones(shape, bool))


def test_pixels_next_to_another_class_are_at_a_border() -> None:
    ids = np.ones((5, 9), np.uint8)
    ids[:, 6:] = 2
    assert away_from_borders(ids, 1)[2].tolist() == [True] * 5 + [False] * 2 + [True] * 2


def test_a_chain_adds_the_steps_and_is_as_sure_as_its_least_sure_one() -> None:
    second = moved(2)
    second.ok[:, 1] = False
    way = chain([moved(1), second])
    assert (way.flow[:, :5, 0] == 3).all()
    assert way.ok[0].tolist() == [False, True, True, True, True, False]  # the last leaves the picture


def test_transitions_count_points_by_both_classes_and_leave_out_what_is_not_counted() -> None:
    here, there = np.array([[1, 1, 2, 0, 1, 1]], np.uint8), np.array([[0, 1, 2, 2, 2, 0]], np.uint8)
    assert count_transitions(here, there, moved(1, (1, 6)), 2).tolist() == [[1, 1], [0, 1]]


def test_joined_clusters_keep_their_class() -> None:
    counts = np.array([[4, 2, 0], [2, 1, 0], [1, 0, 0]])
    assert kept_share(counts, np.array([0, 1, 2])) == 0.5
    assert kept_share(counts, np.array([0, 0, 1])) == 0.9
