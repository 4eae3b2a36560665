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


MOTION, SEMANTICS, LABELS, BOOTSTRAP, SELF_TRAIN, MODEL = (
    "motion",
    "semantics",
    "labels",
    "bootstrap",
    "self_train",
    "model",
)
STAGES = (
    Stage(MOTION, "pseudo-label", (), "stage 1a: moving objects"),
    Stage(SEMANTICS, "pseudo-label", (MOTION,), "stage 1b: classes"),
    Stage(LABELS, "pseudo-label", (MOTION, SEMANTICS), "stage 1: pseudo labels", answers=True),
    Stage(BOOTSTRAP, "train", (LABELS,), "stage 2: bootstrapping", trained=True, answers=True),
    Stage(SELF_TRAIN, "self-train", (BOOTSTRAP,), "stage 3: self-training", trained=True, answers=True),
    Stage(MODEL, "run", (BOOTSTRAP, SELF_TRAIN), "the exported model"),  # of the last one that is finished
)
BY_NAME = {stage.name: stage for stage in STAGES}
ANSWERING = tuple(stage.name for stage in STAGES if stage.answers)
