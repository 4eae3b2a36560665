"""Kinds of movers on objects whose size, speed and looks are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import ResultError
from cups_train.pseudo_label.kinds import (
    Objects,
    Scale,
    describe_objects,
    find_kinds,
    join_kinds,
    load_kinds,
    save_kinds,
)
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.votes import count_votes
from cups_train.types import MovingObject

K = 4
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i == 4, (i, i, i)) for i in range(1, K + 1)))
SCALE = Scale(200.0, 0.1)


def moving(number: int, depth: float, metres_a_step: float) -> MovingObject:
    transform = np.eye(4)
    transform[0, 3] = metres_a_step
    return MovingObject(number, None, 1.0, 1, transform, (0.0, 0.0, depth), "residual")


def scene(person_x: int = 10, car_x: int = 60) -> tuple[np.ndarray, np.ndarray, list[MovingObject]]:
    """A person, 0.5 m x 1.7 m at 10 m and 1.5 m/s, and a car, 4 m x 1.5 m at 20 m and 12 m/s; all pixels of class 2."""
    class_map, instances = np.full((80, 160), 2, np.uint8), np.zeros((80, 160), np.uint16)
    instances[20:54, person_x : person_x + 10] = 1
    instances[30:45, car_x : car_x + 40] = 2
    return class_map, instances, [moving(1, 10.0, 0.15), moving(2, 20.0, 1.2)]


def describe(class_map: np.ndarray, instances: np.ndarray, objects: list[MovingObject]) -> Objects:
    return describe_objects(count_votes(class_map, instances, K), instances, objects, SCALE)


def test_sizes_in_metres_and_speed() -> None:
    class_map, instances, objects = scene()
    class_map[20:54, 10:15] = 4
    found = describe(class_map, instances, objects)
    assert found.ids.tolist() == [1, 2]
    np.testing.assert_allclose(np.exp(found.sizes[:, [0, 1, 4]]), [[0.5, 1.7, 1.5], [4, 1.5, 12]], rtol=0.06)
    np.testing.assert_allclose(found.sizes[:, 3], 1, atol=1e-9)
    np.testing.assert_allclose(found.looks[0] ** 2, [0, 0.5, 0, 0.5], atol=1e-9)


def many(count: int) -> Objects:
    rng = np.random.default_rng(0)
    frames = [scene(*rng.integers(5, 100, 2)) for _ in range(count)]
    parts = [
        describe(class_map, np.where(instances == i, instances, 0), objects)
        for class_map, instances, objects in frames
        for i in (1, 2)
    ]
    return Objects.together([p for p in parts if len(p)], K)


def test_people_and_cars_are_two_kinds(tmp_path: Path) -> None:
    kinds = find_kinds(many(20), K + 1, 2, 0)
    assert kinds is not None
    class_map, instances, objects = scene()
    found = kinds.classes_of(describe(class_map, instances, objects))
    assert sorted(found.tolist()) == [5, 6]
    save_kinds(tmp_path, kinds)
    again = load_kinds(tmp_path)
    assert again is not None and again.classes_of(describe(class_map, instances, objects)).tolist() == found.tolist()
    classes = Classes((*CLASSES, *(PseudoClass(K + i, f"mover_{i}", True, (i, 0, 0)) for i in (1, 2))))
    label = label_maps(class_map, instances, objects, Rules(classes, LabelConfig(), kinds), SCALE)
    assert [(r.id, r.class_id) for r in label.rows] == [(1, found[0]), (2, found[1])]
    assert set(np.unique(label.class_map[label.instances == 1])) == {found[0]} and set(
        np.unique(label.class_map[label.instances == 0])
    ) == {2}


def test_few_objects_have_no_kinds(tmp_path: Path) -> None:
    assert find_kinds(many(7), K + 1, 24, 0) is None and find_kinds(many(20), K + 1, 0, 0) is None
    kinds = find_kinds(many(20), K + 1, 24, 0)
    assert kinds is not None and len(kinds.centres) == 40 // 8
    save_kinds(tmp_path, None)
    assert load_kinds(tmp_path) is None
    (tmp_path / "kinds.json").write_text('{"first": 5}')
    with pytest.raises(ResultError, match="makes it again"):
        load_kinds(tmp_path)


def test_kinds_are_joined_by_size_speed_and_looks() -> None:
    objects = many(20)
    fine = find_kinds(objects, K + 1, 5, 0)
    assert fine is not None and fine.count == 5
    kinds = join_kinds(fine, objects, 2)
    class_map, instances, both = scene()
    assert kinds.count == 2 and len(kinds.centres) == 5
    assert sorted(kinds.classes_of(describe(class_map, instances, both)).tolist()) == [5, 6]
    assert 2 < join_kinds(fine, objects, 8).count <= 5  # centres without an object join the nearest


def test_votes_of_a_kind_are_the_pixels_of_its_objects() -> None:
    objects = many(20)
    kinds = find_kinds(objects, K + 1, 2, 0)
    assert kinds is not None
    votes = kinds.votes(objects)
    np.testing.assert_allclose(votes.sum(), objects.pixels.sum())
    assert votes.shape == (K, 2) and votes[1].all() and not votes[[0, 2, 3]].any()
