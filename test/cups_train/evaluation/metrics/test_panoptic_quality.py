"""Rules of panoptic quality on small maps worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cups_train.evaluation.figures import Evaluation
from cups_train.evaluation.metrics.cooccurrence import count_pairs
from cups_train.evaluation.score import EvaluationOptions, evaluate

CATEGORIES = [(1, "road", 0), (2, "sky", 0), (3, "car", 1)]
Folder = Callable[..., Path]


def _score(
    folder: Path, write_folder: Folder, predicted: list, true: list, options: EvaluationOptions | None = None
) -> Evaluation:
    """`predicted`, `true`: (map, {segment: class}, crowd segments)."""
    paths = []
    for name, (ids, classes, crowd) in (("result", predicted), ("truth", true)):
        rows = [{"id": i, "category_id": c, "iscrowd": int(i in crowd)} for i, c in classes.items()]
        paths.append(write_folder(folder / name, {"000000": (np.array(ids), rows)}, CATEGORIES))
    return evaluate(*paths, options or EvaluationOptions(no_assignment=True))


def _counts(found: Evaluation) -> dict[str, tuple[int, int, int]]:
    return {c.category.name: (c.tp, c.fp, c.fn) for c in found.per_class}


def test_halves_of_iou_one_half_do_not_match(tmp_path: Path, write_folder: Folder) -> None:
    found = _score(tmp_path, write_folder, ([[1, 1, 2, 2]], {1: 3, 2: 3}, ()), ([[1, 1, 1, 1]], {1: 3}, ()))
    assert _counts(found) == {"car": (0, 2, 1)} and found.all.pq == 0


def test_iou_leaves_true_void_out(tmp_path: Path, write_folder: Folder) -> None:
    """Union 3 + 2 - 2 - 1 = 2: the predicted pixel on void costs nothing."""
    found = _score(tmp_path, write_folder, ([[1, 1, 1, 0]], {1: 3}, ()), ([[1, 1, 0, 0]], {1: 3}, ()))
    assert _counts(found) == {"car": (1, 0, 0)} and found.all.sq == 1


def test_predicted_void_is_forgiven_by_the_published_rule_only(tmp_path: Path, write_folder: Folder) -> None:
    predicted, true = ([[1, 1, 1, 0, 2, 0, 0, 0]], {1: 3, 2: 1}, ()), ([[1, 1, 1, 1, 2, 2, 2, 2]], {1: 3, 2: 1}, ())
    official = _score(tmp_path / "o", write_folder, predicted, true)
    assert _counts(official) == {"road": (0, 1, 1), "car": (1, 0, 0)}
    assert (official.things.pq, official.stuff.pq, official.all.pq) == (0.75, 0, 0.375)
    published = _score(
        tmp_path / "p", write_folder, predicted, true, EvaluationOptions(no_assignment=True, void="published")
    )
    assert _counts(published) == {"road": (1, 0, 0), "car": (1, 0, 0)} and published.all.pq == 1
    assert official.acc == published.acc == 0.5  # predicted void is wrong


def test_crowd_is_neither_matched_nor_missed_and_excuses_its_class(tmp_path: Path, write_folder: Folder) -> None:
    true = ([[1, 1, 1, 1, 2, 2]], {1: 3, 2: 1}, (1,))
    assert _counts(_score(tmp_path / "a", write_folder, ([[1, 1, 1, 1, 2, 2]], {1: 3, 2: 1}, ()), true)) == {
        "road": (1, 0, 0)
    }
    assert _counts(_score(tmp_path / "b", write_folder, ([[1, 1, 1, 1, 2, 2]], {1: 2, 2: 1}, ()), true)) == {
        "road": (1, 0, 0),
        "sky": (0, 1, 0),
    }


def test_void_result_scores_zero(tmp_path: Path, write_folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    predicted, true = ([[0, 0]], {}, ()), ([[1, 2]], {1: 3, 2: 1}, ())
    assert _counts(_score(tmp_path / "o", write_folder, predicted, true)) == {"road": (0, 0, 1), "car": (0, 0, 1)}
    published = _score(
        tmp_path / "p", write_folder, predicted, true, EvaluationOptions(no_assignment=True, void="published")
    )
    assert published.all.pq == 0 and published.per_class == () and "PQ is 0" in caplog.text


def test_stuff_of_one_assigned_class_is_one_segment(tmp_path: Path, write_folder: Folder) -> None:
    """Two pseudo classes, half the sky each: one match of IoU 1 once both are sky."""
    found = _score(
        tmp_path, write_folder, ([[1, 1, 2, 2]], {1: 1, 2: 2}, ()), ([[5, 5, 5, 5]], {5: 2}, ()), EvaluationOptions()
    )
    assert _counts(found) == {"sky": (1, 0, 0)} and found.all.pq == 1 and found.miou == 1


def test_count_pairs_equals_counting_pixels() -> None:
    rng = np.random.default_rng(0)
    predicted, true = rng.choice([0, 3, 70000, (1 << 24) - 1], (2, 40, 50))
    found = {(p, t): n for p, t, n in zip(*(a.tolist() for a in count_pairs(predicted, true)), strict=True)}
    expected = {
        (p, t): int(((predicted == p) & (true == t)).sum())
        for p in np.unique(predicted).tolist()
        for t in np.unique(true).tolist()
    }
    assert found == expected and sum(found.values()) == 2000
