"""What a run says while it works: what each stage does, what came of it, and how long the rest takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cups_train.files import read_json
from cups_train.folders import layout, stages
from cups_train.folders.run import RunFolder

MADE_S = 2.0  # a stage that took less was found finished, and says nothing about this machine's speed


@dataclass
class TimeLeft:
    """How long the stages that are still to come take, from how long those before took.

    `shares` are seconds of each stage on the machine where they were measured: only their proportions are used once a
    stage has been made here.
    """

    shares: Mapping[str, float]
    _took: dict[str, float] = field(default_factory=dict)  # s, of stages that were made here
    _ended: set[str] = field(default_factory=set)

    def seconds(self) -> float:
        """Of all stages that have not ended."""
        measured = sum(self.shares.get(stage, 0.0) for stage in self._took)
        speed = sum(self._took.values()) / measured if measured else 1.0
        return speed * sum(seconds for stage, seconds in self.shares.items() if stage not in self._ended)

    def words(self) -> str:
        minutes = max(1, round(self.seconds() / 60))
        if self._took:
            return f"about {minutes} min left"
        return f"about {minutes} min to go on 2 quiet cores"

    def ended(self, stage: str, seconds: float) -> None:
        self._ended.add(stage)
        if seconds > MADE_S and stage in self.shares:
            self._took[stage] = seconds


@contextmanager
def told(folder: RunFolder, stage: str, say: Callable[[str], None], left: TimeLeft | None = None) -> Iterator[None]:
    """Say what the stage does before it begins, and what came of it afterwards."""
    of = stages.BY_NAME[stage]
    say(f"\n== {of.title}: {of.does}" + (f"   [{left.words()}]" if left else ""))
    start = time.monotonic()
    yield
    say(f"   {outcome(folder, stage)}")
    if left:
        left.ended(stage, time.monotonic() - start)


def outcome(folder: RunFolder, stage: str) -> str:
    """What a finished stage found, in one line, read from its files."""
    return _OUTCOMES[stage](folder)


def _motion(folder: RunFolder) -> str:
    frames = [
        frame
        for path in sorted(folder.stage(stages.MOTION).glob(f"*/{layout.MOTION}"))
        for frame in read_json(path)["frames"]
    ]
    objects = sum(len(frame["objects"]) for frame in frames)
    holding = sum(bool(frame["objects"]) for frame in frames)
    return f"{objects} moving objects in {len(frames)} frames; {len(frames) - holding} frames hold none"


def _semantics(folder: RunFolder) -> str:
    clusters = folder.config([]).semantics.clusters
    return f"{clusters} clusters of cells; pictures in {folder.stage(stages.SEMANTICS)}/*/overlays"


def _labels(folder: RunFolder) -> str:
    found = read_json(folder.stage(stages.LABELS) / layout.STATISTICS)
    classes = folder.classes()
    guessed = [c.name for c in classes if c.name.endswith("?")]
    names = f"; by geometry and motion: {' '.join(dict.fromkeys(guessed))}" if guessed else ""
    things = sum(c.isthing and not c.unknown for c in classes)
    stuff = sum(not c.isthing for c in classes)
    return (
        f"{stuff} classes of stuff and {things} kinds of things{names}; {found['instances']} objects "
        f"outlined in {found['frames']} frames"
    )


def _bootstrap(folder: RunFolder) -> str:
    path = folder.stage(stages.BOOTSTRAP) / layout.LOSSES
    losses = [json.loads(line)["loss"] for line in path.read_text("utf-8").splitlines()]
    if not losses:
        return "no step was taken"
    part = max(1, len(losses) // 20)
    first, last = sum(losses[:part]) / part, sum(losses[-part:]) / part
    return f"loss {first:.2f} to {last:.2f} in {len(losses)} steps"


def _self_train(folder: RunFolder) -> str:
    path = folder.stage(stages.SELF_TRAIN) / layout.LOSSES
    return f"{len(path.read_text('utf-8').splitlines())} steps; pictures in {path.parent / layout.OVERLAYS}"


def _model(folder: RunFolder) -> str:
    graph: Path = folder.stage(stages.MODEL) / "model.onnx"
    return f"{graph} ({graph.stat().st_size / 1e6:.1f} MB), equal to the network on trial images"


_OUTCOMES: dict[str, Callable[[RunFolder], str]] = {
    stages.MOTION: _motion,
    stages.SEMANTICS: _semantics,
    stages.LABELS: _labels,
    stages.BOOTSTRAP: _bootstrap,
    stages.SELF_TRAIN: _self_train,
    stages.MODEL: _model,
}
