"""Matching of pseudo classes to true classes on tables worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cups_train.evaluation.metrics.assignment import match
from cups_train.evaluation.score import EvaluationOptions, evaluate

# 5 pseudo, 3 true classes, the last one absent
CONTRACT = np.array([[50, 5, 0], [40, 6, 0], [3, 30, 0], [2, 9, 0], [10, 1, 0]])


def test_published_contract() -> None:
    assert match(CONTRACT[:, :2], "hungarian") == [0, 0, 1, 1, 0]


def test_row_matched_to_a_column_without_shared_pixels_takes_its_largest() -> None:
    # the published code wastes pseudo class 2 on the absent column
    assert match(CONTRACT, "hungarian") == [0, 0, 1, 1, 0]


def test_majority_and_hungarian_differ_where_one_class_is_split() -> None:
    table = np.array([[90, 10], [80, 15]])
    assert match(table, "majority") == [0, 0]
    assert match(table, "hungarian") == [0, 1]


def test_strict_names_a_true_class_once_and_leaves_the_rest_void() -> None:
    assert match(CONTRACT, "strict") == [0, None, 1, None, None]  # pseudo class 2 and the absent column share nothing
    assert match(np.array([[90, 10], [80, 15]]), "strict") == [0, 1]
    assert match(np.zeros((2, 0), int), "strict") == [None, None]


def test_never_seen_row_is_void() -> None:
    assert match(np.array([[5, 1], [0, 0]]), "hungarian") == [0, None]
    assert match(np.array([[0, 0], [5, 1]]), "majority") == [None, 0]
    assert match(np.zeros((2, 0), int), "hungarian") == [None, None]


def test_things_go_to_things_and_absent_kind_to_void(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    """A pseudo thing that covers road only: void for PQ, road for accuracy."""
    ids = np.repeat([[1, 1, 2, 2]], 4, axis=0)
    truth = write_folder(
        tmp_path / "t",
        {"000000": (ids, [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 8}])},
        [(7, "road", 0), (8, "sky", 0)],
    )
    result = write_folder(
        tmp_path / "r",
        {"000000": (ids, [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 2}])},
        [(1, "a", 1), (2, "b", 0), (3, "c", 0)],
    )
    found = evaluate(result, truth)
    assert found.assignment is not None
    assert found.assignment.panoptic == {1: None, 2: 8, 3: None}
    assert found.assignment.semantic == {1: 7, 2: 8, 3: None}
    assert found.assignment.categories7 == {1: 0, 2: 4, 3: None}
    assert (found.acc, found.miou, found.acc7, found.miou7) == (1, 1, 1, 1)
    assert found.all.pq == 0.5 and found.per_class[0].fn == 1  # the sky alone is found


def test_no_cityscapes_name_no_seven_categories(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    ids = np.ones((4, 4), int)
    truth = write_folder(tmp_path / "t", {"000000": (ids, [{"id": 1, "category_id": 1}])}, [(1, "gravel", 0)])
    assert evaluate(truth, truth).acc7 is None
    assert evaluate(truth, truth, EvaluationOptions(no_assignment=True)).to_json()["assignment"] is None
