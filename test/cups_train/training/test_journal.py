"""The log of a training."""

from __future__ import annotations

import json

import pytest

from cups_train.training.journal import Journal


def test_journal_drops_what_a_killed_run_wrote_too_much(tmp_path):
    journal = Journal(tmp_path, 10)
    journal.start(0)
    for step in range(1, 6):
        journal.step(step, {"loss": 1.0 / step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    again = Journal(tmp_path, 10)
    again.start(3)
    again.step(4, {"loss": 0.5})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and rows[3]["loss"] == 0.5 and "seconds" in rows[3]
    assert "step 4/10  loss 0.5" in (tmp_path / "train.log").read_text()
    Journal(tmp_path / "other", 10, active=False).step(1, {"loss": 1.0})
    assert not (tmp_path / "other").exists()


def test_tensorboard_is_told_where_it_is_installed(tmp_path):
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard"
    )
    for start, steps in ((0, range(1, 6)), (3, range(4, 7))):  # stopped after step 5, gone on after 3
        journal = Journal(tmp_path / "bootstrap", 10)
        journal.start(start)
        for step in steps:
            journal.step(step, {"loss": float(10 * start + step)})
        journal.board.close()
    found = events.EventAccumulator(str(tmp_path / "tensorboard/bootstrap"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(1, 1), (2, 2), (3, 3), (4, 34), (5, 35), (6, 36)]
    assert {path.name for path in (tmp_path / "bootstrap").iterdir()} == {"train.log", "metrics.jsonl"}
