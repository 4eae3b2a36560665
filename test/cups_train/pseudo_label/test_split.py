"""Counting and the decision between things and stuff, on numbers worked out by hand."""
from __future__ import annotations

import numpy as np
import pytest

from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.counts import Counts, count_frame
from cups_train.pseudo_label.split import find_split


def _counts(n_in: list[int], n_all: list[int], n_found: list[int] | None = None, instances: int = 1000) -> Counts:
    found = n_found or [100] * len(n_in)
    return Counts(np.array([0, *n_all]), np.array([0, *n_in]), np.array([0, *found]), np.array([0, *found]), 100, 80, instances)


def test_a_tenth_of_an_object_is_enough_to_be_found_in_it() -> None:
    class_map = np.array([[1] * 16 + [2] * 2 + [3]], np.uint8)  # 2 of 19 pixels, and 1 of 19
    assert count_frame(class_map, np.ones((1, 19), np.uint16), 3, 0.0, compat=False).n_found.tolist() == [0, 1, 1, 0]


def test_only_pixels_that_could_be_inside_an_object_count() -> None:
    class_map = np.array([[1, 1, 2, 2, 1, 1, 1, 1, 1, 1]], np.uint8)
    instances = np.array([[0, 0, 5, 5, 5, 0, 0, 0, 0, 0]], np.uint16)
    counts = count_frame(class_map, instances, 2, 0.1, compat=False)  # one column at each side
    assert counts.n_all.tolist() == [0, 6, 2] and counts.n_in.tolist() == [0, 1, 2]
    assert counts.n_mask.tolist() == [0, 0, 1] and counts.n_found.tolist() == [0, 1, 1] and counts.instances == 1
    nothing = count_frame(class_map, np.zeros_like(instances), 2, 0.1, compat=False)
    assert nothing.n_all.sum() == 0 and (nothing.frames, nothing.moving_frames) == (1, 0)


def test_published_count_is_after_alignment_over_all_pixels() -> None:
    class_map = np.array([[1, 1, 2, 2, 1, 1]], np.uint8)
    instances = np.array([[0, 0, 5, 5, 5, 0]], np.uint16)
    counts = count_frame(class_map, instances, 2, 0.2, compat=True) + count_frame(class_map, 0 * instances, 2, 0.2, compat=True)
    assert counts.n_all.tolist() == [0, 3 + 4, 3 + 2] and counts.n_in.tolist() == [0, 0, 3]


def test_lift_over_the_share_of_all_pixels() -> None:
    """100 of 1000 pixels are inside: above 2.16 x 0.1 lie 0.5 and 0.22, below it 0.21."""
    split = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig())
    assert split.things == (1, 2) and split.rule == "lift" and split.note is None
    assert split.mean_ratio == pytest.approx(0.1) and split.table[0].lift == pytest.approx(5)


def test_rare_class_neither_counts_nor_pushes_the_others_out() -> None:
    """P-17: a class of few pixels wholly inside masks takes the published rule's mass; here it is only left out."""
    n_in, n_all = [300, 5, 40, 20, 5, 5], [600, 5, 3000, 2000, 3000, 2000]
    repaired = find_split(_counts(n_in, n_all, [90, 3, 9, 9, 9, 9]), LabelConfig())
    assert repaired.things == (1,)
    rows = {row.class_id: row for row in repaired.table}
    assert not rows[2].supported and rows[2].ratio == 1
    published = find_split(_counts(n_in, n_all), LabelConfig(compat="reference", psi=2.16))
    assert published.things == (2,)  # 0.5 / 1.53 = 0.327 < 2.16 / 6


def test_never_used_classes_change_nothing() -> None:
    base = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig())
    more = find_split(_counts([50, 22, 21, 7] + [0] * 50, [100, 100, 100, 700] + [0] * 50, [100] * 4 + [0] * 50), LabelConfig())
    assert base.things == more.things and len(more.classes()) == 54


def test_published_threshold_at_27_classes() -> None:
    """Shares 0.081 and 0.079 of the sum: the first is a thing, the second is not (0.08 at K = 27)."""
    shares = np.array([0.081, 0.079, *[0.84 / 25] * 25])
    counts = _counts((shares * 1e6).astype(int).tolist(), [1_000_000] * 27)
    split = find_split(counts, LabelConfig(compat="reference"))
    assert split.things == (1,) and split.rule == "published"


def test_largest_gap_decides_where_nothing_passes_the_lift() -> None:
    split = find_split(_counts([200, 190, 90, 80], [400, 400, 400, 400]), LabelConfig())
    assert split.things == (1, 2) and split.rule == "gap" and split.note is not None and "no class lies in moving objects 2.16 times" in split.note


def test_without_objects_nothing_is_a_thing() -> None:
    for counts in (_counts([0, 0], [500, 500], [0, 0], 0), Counts.nothing(2)):
        split = find_split(counts, LabelConfig())
        assert split.things == () and split.rule == "none" and split.note is not None
        assert find_split(counts, LabelConfig(compat="reference")).things == ()


def test_everything_a_thing_is_no_split() -> None:
    """psi 0.5 would take all four classes: only those with the largest ratios that fit into half of the picture remain."""
    split = find_split(_counts([60, 50, 40, 30], [250, 250, 250, 250]), LabelConfig(psi=0.5))
    assert split.things == (1, 2) and split.note is not None and "more than 50% of the picture" in split.note


def test_short_recordings_ask_for_fewer_objects() -> None:
    counts = _counts([50, 20], [100, 900], [3, 3], instances=10)
    assert find_split(counts, LabelConfig(min_instances=5)).things == (1,)
    assert find_split(_counts([50, 20], [100, 900], [3, 3], instances=1000), LabelConfig(min_instances=5)).things == ()


def test_a_person_may_name_the_things() -> None:
    split = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig(things=(4, 2)))
    assert split.things == (2, 4) and split.rule == "given"
    assert find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig(things=(4, 2), compat="reference")).things == (2, 4)
    with pytest.raises(CupsError, match=r"expected class ids of 1 to 4 in labels.things, found \[9\]"):
        find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig(things=(9,)))


def test_names_and_colours() -> None:
    classes = find_split(_counts([50, 22, 21, 7], [100, 100, 100, 700]), LabelConfig()).classes()
    assert [c.name for c in classes] == ["thing_01", "thing_02", "class_03", "class_04"] and classes.things == (1, 2)
    assert len({c.color for c in classes}) == 4
