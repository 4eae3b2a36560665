"""The one loop of all trainings: a stopped training goes on from its last checkpoint and ends with the bytes of one
that was not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cups_train.progress import progress

Item = TypeVar("Item")


@dataclass(frozen=True)
class Plan:
    """How long a training is, and how often it writes down where it stands."""

    title: str  # of the progress bar
    steps: int
    save_every: int  # steps


class Training(Protocol[Item]):
    """What the loop asks of a training. Steps count from 0, `done` steps from 1."""

    def resume(self) -> int:
        """Go on from what `save` wrote last, where it did; the steps done."""

    def batches(self, start: int) -> Iterable[tuple[int, Item]]:
        """(step, what it learns from) of every step from `start` on, in order."""

    def step(self, step: int, batch: Item) -> None:
        """One step of the optimiser, and its line in the journal."""

    def save(self, done: int) -> None:
        """Write down where the training stands."""


def train(training: Training[Item], plan: Plan) -> None:
    """All steps that are left to do. Saves every `save_every` steps and at the end; without any step the start is what
    is saved."""
    start = training.resume()
    for step, batch in progress(training.batches(start), plan.title, plan.steps, start):
        training.step(step, batch)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            training.save(step + 1)
    if plan.steps == 0:
        training.save(0)
