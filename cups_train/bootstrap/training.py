"""Stage 2: what a step learns from pseudo labels."""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cups_train.bootstrap.discoveries import discovered
from cups_train.bootstrap.frames import LabelledRecordings, Loader, Schedule, index_frames
from cups_train.config import BootstrapConfig, NetworkConfig
from cups_train.folders.layout import CHECKPOINT
from cups_train.network import LossOptions, NetworkSpec, PanopticNetwork, build_network, make_spec
from cups_train.training.copy_paste import Cutout, cutouts_of, paste_objects
from cups_train.training.crop import Size, crop_sample, jitter_sizes, whole
from cups_train.training.loop import train
from cups_train.training.optimise import learning_rate
from cups_train.training.panoptic import Lesson, PanopticTraining, crew_on
from cups_train.training.photometric import photometric
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.sample import Sample, without_slivers
from cups_train.training.state import State
from cups_train.types import Work

NETWORK = "network"


def bootstrap(labelled: LabelledRecordings, out: Path, network: NetworkConfig, config: BootstrapConfig, work: Work) -> Path:
    """Train the network on pseudo labels; out/checkpoint.safetensors. A killed run goes on from its last checkpoint
    and ends with the same weights as one that was not. Several processes started by torchrun share the work."""
    spec = make_spec(network, labelled.classes, [(r.camera.height, r.camera.width) for r in labelled.recordings])
    loader = Loader(labelled, (spec.height, spec.width), config.ignore_unknown_things)
    schedule = Schedule.of(index_frames(labelled), config.empty_frames, work.seed)
    with crew_on(work.device) as crew:
        training = Bootstrapping(config, "bootstrap", out, work.seed, crew, spec, network.weights, loader, schedule)
        train(training, training.plan)
    return out / CHECKPOINT


@dataclass(eq=False)
class Bootstrapping(PanopticTraining[Sample]):
    """Samples of labelled frames; objects of their labels, and later what the network itself discovers, are pasted into them."""

    config: BootstrapConfig
    spec: NetworkSpec
    weights: Path | None  # of the backbone
    loader: Loader
    schedule: Schedule

    def __post_init__(self) -> None:
        super().__post_init__()
        self.before: list[Sample] = []  # the batch of the step before, where discoveries are made

    @property
    def result(self) -> str:
        return NETWORK

    def begin(self, found: State | None) -> dict[str, PanopticNetwork]:
        start = found.step if found else 0
        self.before = [self.read(start - 1, row) for row in range(self.config.batch)] if start else []
        return found.networks if found else {NETWORK: build_network(self.spec, self.weights, self.seed).to(self.process.device)}

    def headline(self) -> str:
        spec, schedule = self.spec, self.schedule
        return (f"input {spec.height}x{spec.width}, {len(schedule.with_object)} frames with objects, {len(schedule.empty)} without, "
                f"{len(spec.classes.things)} thing and {len(spec.classes.stuff)} stuff classes")

    def identity(self) -> dict[str, Any]:
        """More steps may be asked for later, unless the learning rate falls towards the last one; names of classes may change."""
        free = {"checkpoint_every", "pictures_every"} | (set() if self.config.decay else {"steps"})
        config = self.config.model_dump(mode="json", exclude=free)
        recordings = [recording.fingerprint for recording in self.loader.labelled.recordings]
        network = {**self.spec.to_json(), "classes": [c.isthing for c in self.spec.classes]}
        return {"config": config, "seed": self.seed, "world": self.process.world, "spec": network, "recordings": recordings}

    def read(self, step: int, row: int) -> Sample:
        """Sample `row` of this process's batch in a step: cropped, flipped, nothing else."""
        number = (step * self.process.world + self.process.rank) * self.config.batch + row
        return self.loader.load(self.schedule.draw(number), generator(self.seed, "window", number))

    def look(self, step: int, items: list[Sample]) -> Lesson:
        """Pastes this batch's pseudo objects; later what the network discovers in the batch before, too."""
        cutouts = [cutout for sample in items for cutout in cutouts_of(sample)]
        if step >= self.config.self_enhanced_from and self.before and self.config.copy_paste:
            new = discovered(self.network, self.before, self.config.paste_score, self.crew.threads)
            cutouts = cutouts + new if self.config.paste == "both" else new
        self.before = items
        return Lesson(items, cutouts)

    def augment(self, step: int, lesson: Lesson) -> list[Sample]:
        """Copy-paste, one size for all, photometric changes."""
        vary = partial(self._augment, cutouts=lesson.cutouts, size=self.size(step))
        return list(self.crew.threads.map(vary, [(step, self.process.rank, row) for row in range(len(lesson.samples))], lesson.samples))

    def size(self, step: int) -> Size:
        """The one size of a step's images, the same for all processes."""
        sizes = jitter_sizes(self.loader.size, self.config.jitter)
        return sizes[int(generator(self.seed, "size", step).integers(len(sizes)))]

    def _augment(self, numbers: tuple[int, ...], sample: Sample, cutouts: list[Cutout], size: Size) -> Sample:
        sample = paste_objects(sample, cutouts, self.config.copy_paste, generator(self.seed, "paste", *numbers))
        sample = without_slivers(crop_sample(sample, whole(sample.semantic.shape), size), self.config.ignore_unknown_things)
        return replace(sample, image=photometric(sample.image, generator(self.seed, "light", *numbers)))

    def options(self, step: int) -> LossOptions:
        config = self.config
        return LossOptions(rois=config.rois, rpn_samples=config.rpn_samples, drop_iou=config.drop_iou, drop_rpn=config.drop_rpn,
                           known_background=config.known_background,
                           generator=torch_generator(torch.device("cpu"), self.seed, "losses", step, self.process.rank))

    def rate(self, step: int) -> float:
        config = self.config
        falling = (round((1 - config.decay) * config.steps), config.steps) if config.decay else None
        return learning_rate(config.lr, config.warmup, step, falling)

    def learned(self, lesson: Lesson, batch: list[Sample]) -> dict[str, float]:
        return {"objects": float(sum(len(s.thing) for s in batch)), "sources": float(len(lesson.cutouts))}
