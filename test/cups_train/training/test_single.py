"""One network's training through the one loop: stopped anywhere, it ends as one that was not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cups_train.errors import ModelError
from cups_train.training.loop import Plan, train
from cups_train.training.optimise import Optimisation
from cups_train.training.single import STATE, SingleTraining

STEPS = 7


class Line(SingleTraining[Tensor]):
    """Learns y = 2 x, and remembers what it has seen."""

    stop_at: int | None = None
    seen = 0.0

    def batches(self, start: int) -> Iterator[tuple[int, Tensor]]:
        for step in range(start, self.steps):
            yield step, torch.rand(4, 1, generator=torch.Generator().manual_seed(step))

    def losses(self, step: int, batch: Tensor) -> dict[str, Tensor]:
        if step == self.stop_at:
            raise KeyboardInterrupt
        return {"square": ((self.network(batch) - 2 * batch) ** 2).mean()}

    def rate(self, step: int) -> float:
        return 0.1 / (1 + step)

    def learned(self, step: int) -> dict[str, float]:
        self.seen += step
        return {"seen": self.seen}

    def memory(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def recall(self, memory: dict[str, Any]) -> None:
        self.seen = memory["seen"]


def line(folder: Path, steps: int = STEPS, stop_at: int | None = None) -> Line:
    torch.manual_seed(1)
    network = nn.Linear(1, 1)
    made = Line(network, Optimisation(torch.optim.Adam(network.parameters()), 1.0, "stop"), folder, steps)
    made.stop_at = stop_at
    return made


@pytest.mark.parametrize("stop_at", [0, 1, 2, 5, 6])
def test_a_stopped_training_ends_as_one_that_was_not(tmp_path: Path, stop_at: int) -> None:
    whole, plan = line(tmp_path / "whole"), Plan("line", STEPS, 2)
    train(whole, plan)
    with pytest.raises(KeyboardInterrupt):
        train(line(tmp_path / "parts", stop_at=stop_at), plan)
    resumed = line(tmp_path / "parts")
    train(resumed, plan)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value)
    lines = (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(row) for row in lines]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1)) and rows[-1]["seen"] == sum(range(STEPS))


def test_a_finished_training_is_not_done_again_and_one_of_no_steps_is_kept(tmp_path: Path) -> None:
    train(line(tmp_path), Plan("line", STEPS, 2))
    again = line(tmp_path, stop_at=STEPS - 1)
    train(again, Plan("line", STEPS, 2))
    assert again.seen == sum(range(STEPS))
    train(line(tmp_path / "none", steps=0), Plan("line", 0, 2))
    assert (tmp_path / "none" / STATE).is_file()


def test_a_damaged_file_is_told_with_what_to_delete(tmp_path: Path) -> None:
    train(line(tmp_path), Plan("line", STEPS, 2))
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:-100])
    with pytest.raises(ModelError, match=f"found a damaged file; delete {tmp_path} to start again"):
        train(line(tmp_path), Plan("line", STEPS, 2))
