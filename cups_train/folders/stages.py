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
    does: str  # in one line, while it works
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
    Stage(
        MOTION,
        "pseudo-label",
        (),
        "stage 1a: moving objects",
        "look for what moves by itself, apart from the camera: flow and stereo, no labels",
    ),
    Stage(
        SEMANTICS,
        "pseudo-label",
        (MOTION,),
        "stage 1b: classes",
        "learn what the cells of an image look like, and sort them into clusters",
    ),
    Stage(
        LABELS,
        "pseudo-label",
        (MOTION, SEMANTICS),
        "stage 1: pseudo labels",
        "join clusters that are one thing along the way, tell things from stuff, write panoptic labels",
        answers=True,
    ),
    Stage(
        BOOTSTRAP,
        "train",
        (LABELS,),
        "stage 2: bootstrapping",
        "train the network on these labels",
        trained=True,
        answers=True,
    ),
    Stage(
        SELF_TRAIN,
        "self-train",
        (BOOTSTRAP,),
        "stage 3: self-training",
        "train it further on its own answers where it is sure; kept only if it agrees better with itself",
        trained=True,
        answers=True,
    ),
    Stage(
        MODEL,
        "run",
        (BOOTSTRAP, SELF_TRAIN),
        "the exported model",
        "write the graph that the vehicle runs, and check it against the network",
    ),  # of the last one that is finished
)
BY_NAME = {stage.name: stage for stage in STAGES}
ANSWERING = tuple(stage.name for stage in STAGES if stage.answers)
