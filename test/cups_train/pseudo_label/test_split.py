"""The decision between things and stuff, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.motion_counts import MotionCounts
from cups_train.pseudo_label.split import find_split

PUBLISHED = LabelConfig(split="published", likeness=0, min_instances=0)


def _counts(n_in: list[int], n_all: list[int], n_found: list[int] | None = None, instances: int = 1000) -> MotionCounts:
    found = n_found or [100] * len(n_in)
    return MotionCounts(
        np.array([0, *n_all]), np.array([0, *n_in]), np.array([0, *found]), np.array([0, *found]), 100, 80, instances
    )


def test_lift_over_the_share_of_all_pixels() -> None:
    """100 of 1000 pixels are inside: above 2.16 x 0.1 lie 0.5 and 0.22, below it 0.21."""
    split = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig())
    assert split.things == (1, 2) and split.rule == "lift" and split.note is None
    assert split.mean_ratio == pytest.approx(0.1) and split.table[0].lift == pytest.approx(5)


def test_rare_class_neither_counts_nor_pushes_the_others_out() -> None:
    """A class of few pixels wholly inside masks takes the published rule's mass; here it is only left out."""
    n_in, n_all = [300, 5, 40, 20, 5, 5], [600, 5, 3000, 2000, 3000, 2000]
    repaired = find_split(_counts(n_in, n_all, [90, 3, 9, 9, 9, 9]), LabelConfig())
    assert repaired.things == (1,)
    rows = {row.class_id: row for row in repaired.table}
    assert not rows[2].supported and rows[2].ratio == 1
    published = find_split(_counts(n_in, n_all), PUBLISHED)
    assert published.things == (2,)  # 0.5 / 1.53 = 0.327 < 2.16 / 6


def test_never_used_classes_change_nothing() -> None:
    base = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig())
    more = find_split(
        _counts([50, 22, 21, 7] + [0] * 50, [100, 100, 100, 700] + [0] * 50, [100] * 4 + [0] * 50), LabelConfig()
    )
    assert base.things == more.things and len(more.classes()) == 54


def test_largest_gap_decides_where_nothing_passes_the_lift() -> None:
    split = find_split(_counts([200, 190, 90, 80], [400, 400, 400, 400]), LabelConfig())
    assert (
        split.things == (1, 2)
        and split.rule == "gap"
        and split.note is not None
        and "no class lies in moving objects 2.16 times" in split.note
    )


def test_without_objects_nothing_is_a_thing() -> None:
    for counts in (_counts([0, 0], [500, 500], [0, 0], 0), MotionCounts.nothing(2)):
        split = find_split(counts, LabelConfig())
        assert split.things == () and split.rule == "none" and split.note is not None
        assert find_split(counts, PUBLISHED).things == ()


def test_everything_a_thing_is_no_split() -> None:
    """psi 0.5 would take all four classes: only those with the largest ratios that fit into half of the picture
    remain."""
    split = find_split(_counts([60, 50, 40, 30], [250, 250, 250, 250]), LabelConfig(psi=0.5))
    assert split.things == (1, 2) and split.note is not None and "more than 50% of the picture" in split.note


def test_short_recordings_ask_for_fewer_objects() -> None:
    counts = _counts([50, 20], [100, 900], [3, 3], instances=10)
    assert find_split(counts, LabelConfig(min_instances=5)).things == (1,)
    assert find_split(_counts([50, 20], [100, 900], [3, 3], instances=1000), LabelConfig(min_instances=5)).things == ()


def test_a_person_may_name_the_things() -> None:
    split = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig(things=(4, 2)))
    assert split.things == (2, 4) and split.rule == "given"
    assert find_split(
        _counts([50, 22, 21, 7], [100, 100, 100, 700]), PUBLISHED.model_copy(update={"things": (4, 2)})
    ).things == (2, 4)
    with pytest.raises(CupsError, match=r"expected class ids of 1 to 4 in labels.things, found \[9\]"):
        find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig(things=(9,)))


def test_names_and_colours() -> None:
    classes = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig()).classes()
    assert [c.name for c in classes] == ["thing_01", "thing_02", "class_03", "class_04"] and classes.things == (1, 2)
    assert len({c.color for c in classes}) == 4
