"""The log of a training."""

from __future__ import annotations

import json

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
