"""Figures as tables: which protocol comes first, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.evaluation.protocols import MATCHINGS, MEANINGS
from cups_train.evaluation.score import EvaluationOptions, evaluate, evaluate_by_matching
from cups_train.evaluation.table import render_matchings, render_stages, score_tables


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
