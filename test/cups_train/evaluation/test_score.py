"""The whole evaluation: its file, its assignments, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.evaluation.metrics.assignment import save_assignment
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.evaluation.table import render_table


def test_file_has_the_agreed_keys(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    found = evaluate(*random_pair(tmp_path, np.random.default_rng(1)))
    tree = json.loads(json.dumps(found.to_json()))
    assert list(tree) == [
        "pq",
        "sq",
        "rq",
        "things",
        "stuff",
        "per_class",
        "acc",
        "miou",
        "acc7",
        "miou7",
        "ap",
        "ap50",
        "void_rule",
        "matching",
        "assignment",
        "images",
    ]
    assert set(tree["per_class"][0]) == {"category_id", "name", "isthing", "pq", "sq", "rq", "tp", "fp", "fn"}
    assert tree["images"] == 3 and 0 < tree["ap"] <= tree["ap50"] < 1 and len(tree["assignment"]) == 14
    assert "14 pseudo classes assigned by hungarian" in render_table(found)


def test_saved_assignment_gives_the_same_figures(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(2))
    fitted = evaluate(result, truth, EvaluationOptions(matching="majority"))
    assert fitted.assignment is not None
    save_assignment(tmp_path / "saved.json", fitted.assignment)
    assert evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "saved.json")) == fitted
    plain = {str(k): v for k, v in fitted.assignment.panoptic.items()}
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    assert evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "plain.json")).all == fitted.all
    (tmp_path / "foreign.json").write_text(json.dumps({"1": 99}))
    with pytest.raises(ResultError, match=r"expected true classes of .*found \[99\]"):
        evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "foreign.json"))


def test_order_of_images_and_names_of_pseudo_classes_do_not_matter(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]
) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(3))
    before = evaluate(result, truth)
    tree = json.loads((result / "panoptic.json").read_text())
    swapped = {
        **tree,
        "annotations": tree["annotations"][::-1],
        "categories": [{**c, "id": 16 - c["id"]} for c in tree["categories"]],
    }
    for annotation in swapped["annotations"]:
        for row in annotation["segments_info"]:
            row["category_id"] = 16 - row["category_id"]
    (result / "panoptic.json").write_text(json.dumps(swapped))
    after = evaluate(result, truth)
    assert after.all == before.all and after.per_class == before.per_class
    assert (after.acc, after.miou, after.ap) == (before.acc, before.miou, before.ap)


def test_several_processes_give_the_same(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(4))
    assert evaluate(result, truth, EvaluationOptions(workers=2)) == evaluate(result, truth)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing image", "expected a result for each of the 3 images"),
        ("size", "at the size of its truth, 64 x 48, found 10 x 10"),
        ("unknown id", "expected every id of"),
        ("no json", "expected a result folder with panoptic.json"),
        ("category", r"among its categories, found \[99\]"),
        ("broken json", "delete it and make it again"),
        ("broken png", "found a damaged file"),
    ],
)
def test_bad_input_is_said_in_one_sentence(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], damage: str, message: str
) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(6))
    tree = json.loads((result / "panoptic.json").read_text())
    if damage == "missing image":
        tree["annotations"] = tree["annotations"][:-1]
    elif damage == "category":
        tree["annotations"][0]["segments_info"][0]["category_id"] = 99
    elif damage == "unknown id":
        tree["annotations"][0]["segments_info"] = tree["annotations"][0]["segments_info"][2:]
    (result / "panoptic.json").write_text("{" if damage == "broken json" else json.dumps(tree))
    if damage == "size":
        cv2.imwrite(str(result / "panoptic" / "000001.png"), np.zeros((10, 10, 3), np.uint8))
    elif damage == "broken png":
        (result / "panoptic" / "000001.png").write_bytes(b"no image")
    elif damage == "no json":
        (result / "panoptic.json").unlink()
    with pytest.raises(ResultError, match=message) as caught:
        evaluate(result, truth)
    assert "\n" not in str(caught.value)


def test_one_folder_above_names_those_inside(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    _, truth = random_pair(tmp_path, np.random.default_rng(7))
    with pytest.raises(
        ResultError, match=r"folders in it that have one: result, truth \(join those wanted by commas\)"
    ):
        evaluate(tmp_path, truth)


def test_results_without_truth_are_left_out(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(8))
    tree = json.loads((truth / "panoptic.json").read_text())
    (truth / "panoptic.json").write_text(json.dumps({**tree, "annotations": tree["annotations"][1:]}))
    assert evaluate(result, truth).images == 2


def test_ways_to_assign_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="found --no-assignment and --fit-result"):
        evaluate("a", "b", EvaluationOptions(no_assignment=True, fit_result="c", fit_truth="d"))
    with pytest.raises(ResultError, match="together"):
        evaluate("a", "b", EvaluationOptions(fit_result="c"))
