import json

import numpy as np
import pytest

from cups_train.pseudo_label.sameness.evidence import BINS, GAPS, Evidence
from cups_train.pseudo_label.sameness.join import Joining, JoinOptions, join_classes, joins_until_the_fall, levels


def evidence(
    transitions: list[list[int]],
    heights: dict[int, float] | None = None,
    pixels: list[int] | None = None,
    standing: tuple[int, ...] = (),
) -> Evidence:
    counts = np.array(transitions)
    k = len(counts)
    known = np.zeros((k, len(BINS) + 1), np.int64)
    for cluster, height in (heights or {}).items():
        known[cluster, np.searchsorted(BINS, height, side="right")] = 1000
    every = np.stack([counts] * len(GAPS))
    of_each = np.array(pixels or [100] * k)
    passed = np.where(np.isin(np.arange(k), standing), 0, of_each)
    return Evidence(every, every, known, known.sum(axis=1), of_each, passed)


ROAD_AND_FACADE = [[90, 10, 0, 0], [0, 90, 1, 0], [0, 0, 90, 8], [0, 0, 0, 90]]


def test_what_a_point_turns_into_is_joined_first() -> None:
    found = join_classes(evidence(ROAD_AND_FACADE), None, 2)
    assert found.table == (0, 0, 1, 1)
    assert [(j.kept, j.gone) for j in found.history] == [(0, 1), (2, 3)]
    assert found.history[0].strength > found.history[1].strength
    assert found.classes == 2


def test_the_class_of_most_pixels_comes_first() -> None:
    assert join_classes(evidence(ROAD_AND_FACADE, pixels=[10, 10, 50, 10]), None, 2).table == (1, 1, 0, 0)


def test_what_was_never_seen_to_change_is_joined_by_its_looks() -> None:
    looks = np.array([[0.0, 0], [5, 0], [0.1, 0.1], [5, 3]])
    assert join_classes(evidence(np.eye(4, dtype=int).tolist()), looks, 3).table == (0, 1, 0, 2)


def test_a_kerb_keeps_apart_what_flow_joins() -> None:
    many = [[90, 10, 4], [0, 90, 0], [0, 0, 90]]
    heights = {0: 0.0, 1: 0.12, 2: 0.01}
    assert join_classes(evidence(many), None, 2).table == (0, 0, 1)
    assert join_classes(evidence(many, heights), None, 2).table == (0, 1, 0)
    assert join_classes(evidence(many, heights), None, 2, JoinOptions(step=0.2, one_level=1.0)).table == (0, 0, 1)


def test_clusters_that_are_left_out_have_no_class_and_those_without_pixels_that_of_the_nearest() -> None:
    looks = np.array([[0.0], [1], [4], [3.5]])
    found = join_classes(
        evidence(ROAD_AND_FACADE, pixels=[10, 9, 8, 0]), looks, 3, among=np.array([True, False, True, True])
    )
    assert found.table == (0, -1, 1, 1)
    assert not found.history


@pytest.mark.parametrize("count", [1, 3, 9])
def test_the_number_asked_for_is_kept_where_there_are_so_many(count: int) -> None:
    assert join_classes(evidence(ROAD_AND_FACADE), np.eye(4), count).classes == min(count, 4)


def test_nothing_to_join_is_no_class() -> None:
    assert join_classes(evidence(ROAD_AND_FACADE), None, 3, among=np.zeros(4, bool)).classes == 0


def test_without_a_number_joining_ends_where_the_strength_falls_most() -> None:
    strengths = [0.5] * 30 + [0.01] * 14
    assert joins_until_the_fall(strengths) == 30
    assert joins_until_the_fall([0.5]) == 0
    assert joins_until_the_fall([]) == 0


def test_a_level_is_told_from_a_wall() -> None:
    heights = np.zeros((3, len(BINS) + 1))
    heights[0, np.searchsorted(BINS, 0.05)] = 1000
    heights[1, 2:-2] = 100
    known, level, middle = levels(heights, 0.2)
    assert known.tolist() == [True, True, False]
    assert level.tolist() == [True, False, False]
    assert abs(middle[0] - 0.05) < 0.02


def test_a_joining_is_the_same_after_json_and_each_time() -> None:
    looks = np.random.default_rng(3).normal(size=(4, 5))
    found = join_classes(evidence(ROAD_AND_FACADE), looks, 2)
    assert (
        Joining.from_json(json.loads(json.dumps(found.to_json())))
        == found
        == join_classes(evidence(ROAD_AND_FACADE), looks, 2)
    )


def test_a_level_is_not_blurred_by_what_it_is_joined_with() -> None:
    """Kerb (0) and wall (1) are joined first; together they are as little the road (2) as the kerb alone."""
    many = evidence([[90, 30, 9], [0, 90, 0], [0, 0, 90]], {0: 0.12, 2: 0.0})
    many.heights[1, 20:] = 100
    options = JoinOptions(upright=1.0)
    strengths = [join.strength for join in join_classes(many, None, 1, options).history]
    assert join_classes(many, None, 2, options).table == (0, 0, 1) and strengths[1] < 0.01 * strengths[0]


def test_a_few_near_pixels_say_nothing_of_what_is_far() -> None:
    many = evidence([[90, 10, 4], [0, 90, 0], [0, 0, 90]], {0: 0.0, 1: 0.12, 2: 0.01})
    many.measured[1] *= 100
    assert join_classes(many, None, 2, JoinOptions(one_level=1.0)).table == (0, 0, 1)


STANDING = [[90, 10, 0, 0, 0, 0], [0, 90, 1, 0, 0, 0], [0, 0, 90, 8, 0, 0], [0, 0, 0, 90, 0, 0],
            [0, 0, 0, 0, 90, 0], [0, 0, 0, 0, 0, 90]]  # fmt: skip
LOOKS = np.array([[0.0], [1], [9], [10], [1.4], [8.7]])


def test_what_only_a_standing_camera_saw_becomes_a_part_of_what_is_most_like_it() -> None:
    """Its clusters turn into nothing: among the others they would keep two of three classes."""
    found = join_classes(evidence(STANDING, standing=(4, 5)), LOOKS, 3)
    assert found.table[4] == found.table[1] and found.table[5] == found.table[2] and found.classes == 3
    assert len(set(found.table[:4])) == 3


def test_height_decides_what_a_standing_cluster_that_looks_like_two_becomes() -> None:
    looks = np.array([[0.0], [1], [9], [10], [4.6], [8.7]])  # cluster 4 is a little nearer to 1 than to 2
    heights = {0: 0.0, 1: 0.0, 2: 2.0, 3: 2.0, 4: 2.0, 5: 2.0}
    blind, seeing = (join_classes(evidence(STANDING, h, standing=(4, 5)), looks, 3).table for h in (None, heights))
    assert blind[4] == blind[1] and seeing[4] == seeing[2] != seeing[1]


def test_where_every_camera_stands_looks_and_heights_decide() -> None:
    found = join_classes(evidence(STANDING, standing=(0, 1, 2, 3, 4, 5)), LOOKS, 2)
    assert found.table == (0, 0, 1, 1, 0, 1)
