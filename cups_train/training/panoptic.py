"""What stages 2 and 3 have in common: a panoptic network learns from samples, step by step. Where these come from is
each stage's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from cups_train.config import TrainingConfig
from cups_train.folders.layout import overlay_path
from cups_train.network import LossOptions, PanopticNetwork
from cups_train.training import failed
from cups_train.training.batch import image_batch, prefetch, sample_threads, target_of
from cups_train.training.copy_paste import Cutout
from cups_train.training.distributed import Process, join_processes, losses_module, multiplies_bfloat16
from cups_train.training.journal import Journal, Stopwatch
from cups_train.training.loop import Plan
from cups_train.training.optimise import Optimisation, make_optimiser
from cups_train.training.pictures import write_picture
from cups_train.training.sample import Sample
from cups_train.training.state import State, load_state, save_state

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Crew:
    """Who works on a training here: this process among all, and its threads."""

    process: Process
    loading: ThreadPoolExecutor  # reads items in advance
    threads: ThreadPoolExecutor  # works on the samples of the step


@contextmanager
def crew_on(device: torch.device | str) -> Iterator[Crew]:
    """The crew of this process; it goes home in the end."""
    with (
        join_processes(device) as process,
        sample_threads(process.device) as loading,
        sample_threads(process.device) as threads,
    ):
        yield Crew(process, loading, threads)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a step learns from, before it is varied."""

    samples: list[Sample]
    cutouts: list[Cutout]  # may be pasted into the samples
    facts: dict[str, float] = field(default_factory=dict)  # what the journal says of it


@dataclass(eq=False)
class PanopticTraining(ABC, Generic[Item]):
    """A `Training` of a panoptic network; a stage says what it reads, what it learns from that, and what follows from a
    step."""

    config: TrainingConfig
    stage: str  # "bootstrap" | "self_train"
    out: Path
    seed: int
    crew: Crew

    def __post_init__(self) -> None:
        self.process = self.crew.process
        self.journal = Journal(self.out, self.config.steps, self.process.first)
        self.waiting = Stopwatch()  # runs while the network waits for data
        self.networks: dict[str, PanopticNetwork] = {}

    @property
    def plan(self) -> Plan:
        return Plan(self.stage.replace("_", "-"), self.config.steps, self.config.checkpoint_every)

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must have been made with to be gone on from."""

    @abstractmethod
    def begin(self, found: State | None) -> dict[str, PanopticNetwork]:
        """The networks by name, those of a checkpoint or new ones; the first of them learns."""

    @property
    @abstractmethod
    def result(self) -> str:
        """Name of the network that is the stage's result."""

    @abstractmethod
    def headline(self) -> str:
        """What the log says of the training beside its steps."""

    @abstractmethod
    def read(self, step: int, row: int) -> Item:
        """Item `row` of this process's batch in a step; called in threads, in advance."""

    @abstractmethod
    def look(self, step: int, items: list[Item]) -> Lesson:
        """What a step learns from its items; networks may be asked."""

    @abstractmethod
    def augment(self, step: int, lesson: Lesson) -> list[Sample]:
        """The lesson's samples, varied, all of one size."""

    @abstractmethod
    def options(self, step: int) -> LossOptions:
        """How the losses of a step sample and what they leave out."""

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.config.lr

    def learned(self, step: int, lesson: Lesson, batch: list[Sample]) -> dict[str, float]:
        """What follows from a step (0, 1, ...); what the journal says of it."""
        return lesson.facts

    def memory(self) -> dict[str, Any]:
        """What else a checkpoint must hold, as JSON."""
        return {}

    @property
    def network(self) -> PanopticNetwork:
        """The network that learns."""
        return next(iter(self.networks.values()))

    @property
    def in_bfloat16(self) -> bool:
        """Whether losses are computed under autocast."""
        return (
            self.config.bf16 if self.process.device.type == "cuda" else self.config.bf16_cpu and multiplies_bfloat16()
        )

    def resume(self) -> int:
        config, process = self.config, self.process
        found = load_state(self.out, self.identity(), self.result if process.first else None, process.device)
        self.networks = self.begin(found)
        optimiser = make_optimiser(self.network, config.lr, config.weight_decay)
        if found:
            optimiser.load_state_dict(found.optimiser)
        self.module: nn.Module = losses_module(self.network.train(), process, self.in_bfloat16)
        self.optimisation = Optimisation(optimiser, config.clip, f"lower the learning rate (-o {self.stage}.lr=...)")
        start = found.step if found else 0
        self.journal.start(start)
        self.journal.text(
            f"{f'goes on after step {start}' if start else 'starts'}: {config.steps} steps of {config.batch} x "
            f"{process.world} images, "
            f"{self.headline()}, device {process.device}"
        )
        return start

    def batches(self, start: int) -> Iterator[tuple[int, list[Item]]]:
        self.waiting.start()
        for step, items in prefetch(self.read, range(start, self.config.steps), self.config.batch, self.crew.loading):
            self.waiting.stop()
            yield step, items
            self.waiting.start()

    def step(self, step: int, batch: list[Item]) -> None:
        lesson = self.look(step, batch)
        self.waiting.start()
        samples = self.augment(step, lesson)
        images = image_batch([s.image for s in samples], self.process.device)
        targets = [target_of(s, self.process.device) for s in samples]
        self.waiting.stop()
        lr = self.rate(step)
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        values = self.optimisation.step(lambda: self.module(images, targets, self.options(step)), lr)
        if self.optimisation.bad_steps:
            self.refuse(step, samples, statistics)
        self.journal.step(
            step + 1, {**values, "lr": lr, **self.learned(step, lesson, samples), "data_seconds": self.waiting.take()}
        )
        if self.process.first and ((step + 1) % self.config.pictures_every == 0 or step + 1 in (1, self.config.steps)):
            write_picture(overlay_path(self.out, f"{step + 1:06d}"), samples, self.network)

    def refuse(self, step: int, samples: list[Sample], statistics: list[Tensor]) -> None:
        """A step without a finite gradient leaves no trace in the network; the first of several in a row is kept."""
        for buffer, before in zip(self.network.buffers(), statistics, strict=True):
            buffer.copy_(before)
        if self.process.first and self.optimisation.bad_steps == 1:
            path = failed.keep(self.out, step, self.network, samples)
            self.journal.text(f"step {step + 1}: no finite gradient; nothing is learned from it, its batch is {path}")

    def save(self, done: int) -> None:
        if self.process.first:
            state = State(done, self.networks, self.optimisation.optimiser.state_dict(), self.memory())
            save_state(self.out, state, self.identity(), self.stage, self.result)
        self.process.wait()
