"""Clusters into the classes that a user sees, on counts written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.classes import Clusters, JoinedClasses, join, joins_needed
from cups_train.pseudo_label.kinds import Kinds
from cups_train.pseudo_label.sameness.evidence import BINS, GAPS, Evidence
from cups_train.pseudo_label.split import ClassRatio, Split

K = 6
KINDS = Kinds(K + 1, np.zeros(5), np.ones(5), np.zeros(K), np.zeros((1, K)), np.zeros((3, 6)), np.array([0, 1, 1]))
VOTES = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [2, 9]])
LOOKS = np.array([[0.0], [1], [2], [3], [9], [9.1]])


def clusters(votes: np.ndarray | None) -> Clusters:
    """Clusters 5 and 6 are things; 5 lies in no object and looks like 6."""
    table = tuple(ClassRatio(i, 0, 9, 0, 0, 0.0, 0.0, True, i > 4) for i in range(1, K + 1))
    return Clusters(Split((5, 6), "lift", None, 0.1, table), LOOKS, np.array([9, 8, 7, 6, 5, 4]), votes)


def road_turns_into_road() -> Evidence:
    counts = 90 * np.eye(K, dtype=np.int64)
    counts[0, 1] = counts[2, 3] = 10
    every = np.stack([counts] * len(GAPS))
    return Evidence(
        every, every, np.zeros((K, len(BINS) + 1), np.int64), np.zeros(K, np.int64), np.full(K, 100), np.full(K, 100)
    )


def test_stuff_is_joined_and_parked_things_are_of_a_kind_of_movers() -> None:
    assert joins_needed(clusters(VOTES), KINDS, 4)
    found = join(clusters(VOTES), KINDS, 4, road_turns_into_road(), LabelConfig())
    assert found.class_of == (1, 1, 2, 2, 4, 4)
    assert found.kinds is not None and found.kinds.first == 3
    assert [c.name for c in found.classes] == [
        "class_01",
        "class_02",
        "mover_01",
        "mover_02",
    ] and found.classes.things == (3, 4)
    kept = found.how["kept"][0]
    assert kept["frames"] == 1 and kept["before"] < kept["after"] == 1.0


def test_where_there_is_room_stuff_stays_as_it_is() -> None:
    assert not joins_needed(clusters(VOTES), KINDS, 27)
    found = join(clusters(VOTES), KINDS, 27, None, LabelConfig())
    assert found.class_of == (1, 2, 3, 4, 6, 6) and len(found.classes) == 6 and not found.how


def test_without_kinds_few_clusters_are_the_classes() -> None:
    found = join(clusters(None), None, 6, None, LabelConfig())
    assert (
        found == JoinedClasses.unjoined(clusters(None).split)
        and found.class_of == (1, 2, 3, 4, 5, 6)
        and found.classes.things == (5, 6)
    )


def test_without_kinds_things_leave_half_of_the_classes_to_stuff() -> None:
    found = join(clusters(None), None, 3, road_turns_into_road(), LabelConfig())
    assert found.class_of == (1, 1, 1, 1, 2, 3) and found.classes.things == (2, 3)
    assert join(clusters(None), None, 2, road_turns_into_road(), LabelConfig()).class_of == (1, 1, 1, 1, 2, 2)


def test_the_number_may_be_found() -> None:
    assert joins_needed(clusters(VOTES), KINDS, None)
    assert join(clusters(VOTES), KINDS, None, road_turns_into_road(), LabelConfig()).kinds is not None


def test_what_a_person_has_cut_is_a_class_of_its_own() -> None:
    """Cluster 2 leaves what it was joined to, and 5, a parked thing, becomes stuff."""
    found = join(clusters(VOTES), KINDS, 4, road_turns_into_road(), LabelConfig(cut=((2,), (5,))))
    assert found.class_of == (2, 3, 1, 1, 4, 6)  # the largest first, then what is cut
    assert found.classes.stuff == (1, 2, 3, 4) and found.kinds is not None and found.kinds.first == 5


@pytest.mark.parametrize("cut", [((7,),), ((0,),), ((2, 2),), ((2,), (2, 3))])
def test_a_cut_that_cannot_be_made_is_told(cut: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(CupsError, match="labels.cut clusters of 1 to 6, each once"):
        join(clusters(VOTES), KINDS, 4, road_turns_into_road(), LabelConfig(cut=cut))
