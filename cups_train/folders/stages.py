"""The stages of a run in order: the only table of them."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One folder of a run."""

    name: str  # of the folder
    verb: str  # of the command that makes it
    reads: tuple[str, ...]  # stages that it is made from
    title: str  # for people
    trained: bool = False  # leaves a checkpoint
    answers: bool = False  # can be asked for panoptic results


STAGES = (
    Stage("motion", "pseudo-label", (), "stage 1a: moving objects"),
    Stage("semantics", "pseudo-label", ("motion",), "stage 1b: classes"),
    Stage("labels", "pseudo-label", ("motion", "semantics"), "stage 1: pseudo labels", answers=True),
    Stage("bootstrap", "train", ("labels",), "stage 2: bootstrapping", trained=True, answers=True),
    Stage("self_train", "self-train", ("bootstrap",), "stage 3: self-training", trained=True, answers=True),
    Stage("model", "run", ("bootstrap", "self_train"), "the exported model"),  # of the last one that is finished
)
BY_NAME = {stage.name: stage for stage in STAGES}
ANSWERING = tuple(stage.name for stage in STAGES if stage.answers)
