"""Standing things, on maps written by hand: class 5 is cars of 1.5 to 5 m by 1 to 2 m."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import ResultError
from cups_train.pseudo_label.kinds import Kinds, Objects, Scale
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.sight import Sight
from cups_train.pseudo_label.standing import (
    SizeRange,
    Standing,
    find_standing,
    load_standing,
    measure_standing,
    save_standing,
)
from cups_train.types import MovingObject

RULE = Standing({5: SizeRange((1.5, 5), (1, 2))}, 0.4)
H, W = 60, 160


def _street(columns: list[tuple[int, int, float]]) -> tuple[np.ndarray, Sight]:
    """Cars of class 5 in rows 20 to 36 at (first column, end, disparity); the baseline makes a pixel at disparity 5 one
    tenth of a metre. All is 1 m over the ground."""
    things, disparity = np.zeros((H, W), np.uint8), np.full((H, W), 2, np.float32)
    for start, end, px in columns:
        things[20:36, start:end], disparity[20:36, start:end] = 5, px
    return things, Sight(disparity, np.ones((H, W), np.float32), 0.5)


def _nothing() -> np.ndarray:
    return np.zeros((H, W), np.uint16)


def test_neighbours_are_cut_where_disparity_steps() -> None:
    things, sight = _street([(20, 50, 5), (50, 80, 4)])
    found = find_standing(things, _nothing(), sight, RULE, 7)
    assert found.ids.tolist() == [7, 8] and found.classes.tolist() == [5, 5]
    assert (found.instances[20:36, 22:46] == 7).all() and (found.instances[20:36, 54:78] == 8).all()
    assert np.bincount(found.instances.ravel())[7:].tolist() == found.pixels.tolist()


def test_neighbours_that_touch_on_the_ground_are_apart_above_it() -> None:
    rule = Standing({5: SizeRange((1.5, 5), (0.4, 2))}, 0.4)
    things, sight = _street([(20, 50, 5), (60, 90, 5)])
    things[29:36, 50:60], sight.disparity[26:42] = 5, 5  # a shadow between them, on the ground
    assert len(find_standing(things, _nothing(), sight, rule, 1).ids) == 0  # 7 m wide
    low = Sight(sight.disparity, sight.height.copy(), sight.baseline)
    low.height[29:36], low.height[29:36, 50:60] = 0.2, 0.0
    found = find_standing(things, _nothing(), low, rule, 1)
    assert found.ids.tolist() == [1, 2]
    assert (found.instances[29:36, 50:60] == 0).all(), "the ground is of neither"
    assert (found.instances[30, 20:50] == 1).all(), "wheels are, though parts are found above them"


def test_only_sizes_of_the_kind_are_believed() -> None:
    things, sight = _street([(20, 50, 5), (60, 150, 5)])  # 3 m, and a row of cars of 9 m
    assert find_standing(things, _nothing(), sight, RULE, 1).ids.tolist() == [1]
    assert not len(find_standing(things, _nothing(), sight, replace(RULE, sizes={6: RULE.sizes[5]}), 1).ids)


def test_nothing_without_disparity_and_nothing_tiny() -> None:
    things, sight = _street([(20, 50, 5)])
    unknown = replace(sight, disparity=np.full_like(sight.disparity, np.nan))
    assert not len(find_standing(things, _nothing(), unknown, RULE, 1).ids)
    things[:], things[20:22, 20:23] = 0, 5
    anything = Standing({5: SizeRange((0, 9), (0, 9))}, 0.4)
    assert not len(find_standing(things, _nothing(), sight, anything, 1).ids)


def test_moving_objects_stay_as_they_are() -> None:
    things, sight = _street([(20, 50, 5), (70, 100, 5)])
    moving = _nothing()
    moving[20:36, 70:100] = 3
    found = find_standing(things, moving, sight, RULE, 4)
    assert found.ids.tolist() == [4] and np.array_equal(found.instances == 3, moving == 3)


def test_sizes_and_scores_come_from_moving_objects(tmp_path: Path) -> None:
    centres = np.array([[0.0] * 5, [9.0] * 5])
    kinds = Kinds(5, np.zeros(5), np.ones(5), np.zeros(2), np.zeros((0, 2)), centres, np.array([0, 1]))
    sizes = np.log([[2, 1, 1, 1, 1], [4, 2, 1, 1, 1]] * 5 + [[3000, 2000, 8000, 8000, 8000]] * 9)
    standing = measure_standing(kinds, Objects(np.arange(19), sizes, np.zeros((19, 2)), np.full(19, 90)), 0.8)
    assert standing.score == 0.4 and set(standing.sizes) == {5}, "nine objects do not tell a size"
    cars = standing.sizes[5]
    assert cars.holds(1.1, 0.6) and cars.holds(4.9, 2.4) and not cars.holds(0.9, 1) and not cars.holds(3, 2.6)
    for known in (standing, None):
        save_standing(tmp_path, known)
        assert load_standing(tmp_path) == known
    (tmp_path / "standing.json").write_text('{"score": 1}')
    with pytest.raises(ResultError, match="expected sizes of moving objects"):
        load_standing(tmp_path)


def test_a_label_has_what_moves_and_then_what_stands() -> None:
    class_map, sight = _street([(20, 50, 5), (70, 100, 5), (0, 3, 5)])
    class_map[class_map == 0] = 1
    moving = _nothing()
    moving[20:36, 70:100] = 3
    objects = [MovingObject(3, 7, 0.9, 480, np.eye(4), (0, 0, 9), "residual")]
    classes = Classes(tuple(PseudoClass(i, f"c{i}", i >= 5, (i, i, i)) for i in range(1, 7)))
    rules = Rules(classes, LabelConfig(), standing=RULE)
    label = label_maps(class_map, moving, objects, rules, Scale(100, 0.1), sight)
    rows = [(i.id, i.class_id, i.score, i.track_id, i.pixels) for i in label.rows]
    assert rows == [(3, 5, 0.9, 7, 480), (4, 5, 0.4, None, 480)]
    assert (label.instances[class_map == 1] == 0).all() and label.instances.dtype == np.uint16
    assert [i.id for i in label_maps(class_map, moving, objects, rules, Scale(100, 0.1)).rows] == [3]
