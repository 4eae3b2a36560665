"""A training of one network of any kind: where it stands is one file, beside the journal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from cups_train.training.journal import Journal
from cups_train.training.loop import Plan
from cups_train.training.optimise import Optimisation
from cups_train.training.tensors import load_tensors, save_tensors

STATE = "state.pt"
SAVE_EVERY = 100  # steps

Item = TypeVar("Item")


@dataclass(eq=False)
class SingleTraining(ABC, Generic[Item]):
    """A `Training`; who uses it says what it learns from, how well it does, and how fast it may change."""

    network: nn.Module
    optimisation: Optimisation
    folder: Path  # STATE and the journal
    steps: int

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder, self.steps)

    @abstractmethod
    def batches(self, start: int) -> Iterable[tuple[int, Item]]:
        """(step, what it learns from) of every step from `start` on, in order."""

    @abstractmethod
    def losses(self, step: int, batch: Item) -> dict[str, Tensor]:
        """Each one number ()."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """The learning rate of a step."""

    def learned(self, step: int) -> dict[str, float]:
        """What follows from a step (0, 1, ...); what the journal says of it."""
        return {}

    def memory(self) -> dict[str, Any]:
        """What else must be remembered: tensors and numbers."""
        return {}

    def recall(self, memory: dict[str, Any]) -> None:
        """Take what `memory` gave."""

    def plan(self, title: str) -> Plan:
        return Plan(title, self.steps, SAVE_EVERY)

    def resume(self) -> int:
        path, start = self.folder / STATE, 0
        if path.is_file():
            state = load_tensors(path, next(self.network.parameters()).device, self.folder)
            self.network.load_state_dict(state["network"])
            self.optimisation.optimiser.load_state_dict(state["optimiser"])
            self.recall(state["memory"])
            start = int(state["step"])
        self.journal.start(start)
        return start

    def step(self, step: int, batch: Item) -> None:
        lr = self.rate(step)
        values = self.optimisation.step(partial(self.losses, step, batch), lr)
        self.journal.step(step + 1, {**values, "lr": lr, **self.learned(step)})

    def save(self, done: int) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimisation.optimiser.state_dict(),
            "step": done,
            "memory": self.memory(),
        }
        save_tensors(self.folder / STATE, state)
