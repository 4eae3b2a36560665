"""Figures as tables: which protocol comes first, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.evaluation.protocols import MATCHINGS, MEANINGS
from cups_train.evaluation.score import EvaluationOptions, evaluate, evaluate_by_matching
from cups_train.evaluation.table import found_objects, in_words, render_matchings, render_stages, score_tables


def test_strict_comes_first_then_the_published_protocol_then_majority(figures: Callable[..., dict[str, Any]]) -> None:
    row = {"majority": figures(0.3), "official": figures(0.2, None), "published": figures(0.25), "strict": figures(0.1)}
    tables = score_tables({"labels": row})
    assert [table.title for table in tables] == ["strict", "published protocol", "majority"]
    assert [table.rows[0].values[0] for table in tables] == [10, 20, 30]
    assert tables[1].columns[-2:] == ("AP50", "PQ, published void rule") and tables[1].rows[0].values[-2:] == (None, 25)
    lines = render_stages({"labels": row}, "percent, unseen streets").splitlines()
    assert lines[0] == f"strict: {MEANINGS['strict']}" and lines[1].startswith("percent, unseen streets")
    assert lines[2].split()[:2] == ["labels", "10.0"]


def test_protocols_that_a_run_lacks_are_left_out(figures: Callable[..., dict[str, Any]]) -> None:
    assert [
        table.title for table in score_tables({"labels": {"official": figures(0.2), "published": figures(0.2)}})
    ] == ["published protocol"]
    assert score_tables({}) == ()


def test_every_matching_from_one_reading(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(9))
    found = evaluate_by_matching(result, truth, EvaluationOptions())
    assert tuple(found) == MATCHINGS
    for matching in MATCHINGS:
        assert found[matching] == evaluate(result, truth, EvaluationOptions(matching=matching))
    lines = render_matchings(found).splitlines()
    assert len(lines) == 4 and all(MEANINGS[m] in line for m, line in zip(MATCHINGS, lines[1:], strict=True))
    assert list(evaluate_by_matching(result, truth, EvaluationOptions(no_assignment=True))) == ["hungarian"]


def strict(pq: float, per_class: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"strict": {"pq": pq, "per_class": per_class or []}}


def test_a_table_in_words_sets_each_stage_beside_the_one_before() -> None:
    words = in_words(
        {"kmeans": strict(0.05), "labels": strict(0.241), "bootstrap": strict(0.2411), "self_train": strict(0.22)}
    )
    assert words == (
        "the pseudo labels: PQ 24.1, 19.1 points above k-means",
        "the network after stage 2: PQ 24.1, as good as the pseudo labels",
        "the network after stage 3: PQ 22.0, 2.1 points below the network after stage 2",
    )


def test_found_objects_are_counted_by_true_class() -> None:
    rows = [
        {"name": "road", "isthing": 0, "tp": 1, "fp": 0, "fn": 0},
        {"name": "car", "isthing": 1, "tp": 4, "fp": 1, "fn": 6},
        {"name": "train", "isthing": 1, "tp": 0, "fp": 0, "fn": 0},
    ]
    assert found_objects({"labels": strict(0.1, rows)}, "labels") == "car 4 of 10 (1 false)"
