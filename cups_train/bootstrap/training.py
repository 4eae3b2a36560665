"""Stage 2: what a step learns from pseudo labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cups_train.bootstrap.discoveries import discovered
from cups_train.bootstrap.frames import LabelledRecordings, Loader, Schedule, index_frames
from cups_train.bootstrap.start import Origin, class_weights, find_origin, fits, start_from, widths_of
from cups_train.config import BootstrapConfig, NetworkConfig
from cups_train.files import sha256
from cups_train.folders.layout import CHECKPOINT
from cups_train.folders.semantics import encoder_path
from cups_train.network import LossOptions, NetworkSpec, PanopticNetwork, build_network, make_spec
from cups_train.network.backbone import OWN
from cups_train.training.average import follow, momentum_at, still_copy
from cups_train.training.copy_paste import Cutout, cutouts_of, paste_objects
from cups_train.training.crop import Size, crop_sample, jitter_sizes, whole
from cups_train.training.loop import train
from cups_train.training.optimise import learning_rate
from cups_train.training.panoptic import Lesson, PanopticTraining, crew_on
from cups_train.training.photometric import LIGHT
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.sample import Sample, without_slivers
from cups_train.training.state import State
from cups_train.types import Work

NETWORK, AVERAGE = "network", "average"


def bootstrap(
    labelled: LabelledRecordings, out: Path, network: NetworkConfig, config: BootstrapConfig, work: Work
) -> Path:
    """Train the network on pseudo labels; out/checkpoint.safetensors. A killed run goes on from its last checkpoint
    and ends with the same weights as one that was not. Several processes started by torchrun share the work."""
    frames = index_frames(labelled)
    origin = find_origin(labelled, frames)
    spec = make_spec(
        network,
        labelled.classes,
        [(r.camera.height, r.camera.width) for r in labelled.recordings],
        origin.encoder.spec if origin.encoder else None,
        widths_of(origin.clusters),
    )
    if config.balance:
        spec = replace(spec, pixel_weights=class_weights(origin.pixels, config.balance))
    loader = Loader(labelled, (spec.height, spec.width), config.ignore_unknown_things)
    schedule = Schedule.of(frames, config.empty_frames, work.seed)
    with crew_on(work.device) as crew:
        training = Bootstrapping(
            config, "bootstrap", out, work.seed, crew, Beginning(spec, network.weights, origin), loader, schedule
        )
        train(training, training.plan)
    return out / CHECKPOINT


@dataclass(frozen=True, eq=False)
class Beginning:
    """The network before its first step."""

    spec: NetworkSpec
    weights: Path | None  # of a backbone from elsewhere
    origin: Origin

    def build(self, seed: int) -> PanopticNetwork:
        network = build_network(self.spec, self.weights, seed)
        if self.from_encoder(network):
            start_from(network, self.origin)
        return network

    def from_encoder(self, network: PanopticNetwork) -> bool:
        """Whether it goes on from what stage 1b learned."""
        return self.spec.backbone == OWN and self.origin.encoder is not None and fits(network, self.origin.encoder)


@dataclass(eq=False)
class Bootstrapping(PanopticTraining[Sample]):
    """Samples of labelled frames; objects of their labels, and later what the network itself discovers, are pasted into
    them."""

    config: BootstrapConfig
    beginning: Beginning
    loader: Loader
    schedule: Schedule

    def __post_init__(self) -> None:
        super().__post_init__()
        self.before: list[Sample] = []  # the batch of the step before, where discoveries are made

    @property
    def result(self) -> str:
        return AVERAGE if self.config.average else NETWORK

    def begin(self, found: State | None) -> dict[str, PanopticNetwork]:
        start = found.step if found else 0
        self.before = [self.read(start - 1, row) for row in range(self.config.batch)] if start else []
        network = found.networks[NETWORK] if found else self.beginning.build(self.seed).to(self.process.device)
        if not self.config.average:
            return {NETWORK: network}
        return {
            NETWORK: network,
            AVERAGE: found.networks[AVERAGE].requires_grad_(False) if found else still_copy(network),
        }

    def headline(self) -> str:
        spec, schedule = self.beginning.spec, self.schedule
        start = (
            "from the encoder of stage 1b"
            if self.beginning.from_encoder(self.network)
            else "from weights"
            if spec.weights
            else "from scratch"
        )
        return (
            f"{spec.backbone} {start}, input {spec.height}x{spec.width}, "
            f"{len(schedule.with_object)} frames with objects, "
            f"{len(schedule.empty)} without, {len(spec.classes.things)} thing and "
            f"{len(spec.classes.stuff)} stuff classes"
        )

    def identity(self) -> dict[str, Any]:
        """More steps may be asked for later, unless the learning rate falls towards the last one; names of classes may
        change."""
        free = {"checkpoint_every", "pictures_every"} | (set() if self.config.decay else {"steps"})
        config = self.config.model_dump(mode="json", exclude=free)
        recordings = [recording.fingerprint for recording in self.loader.labelled.recordings]
        spec, labelled = self.beginning.spec, self.loader.labelled
        network = {**spec.to_json(), "classes": [c.isthing for c in spec.classes]}
        start = (
            sha256(encoder_path(labelled.semantics)) if self.beginning.origin.encoder and labelled.semantics else None
        )
        return {
            "config": config,
            "seed": self.seed,
            "world": self.process.world,
            "spec": network,
            "start": start,
            "recordings": recordings,
        }

    def read(self, step: int, row: int) -> Sample:
        """Sample `row` of this process's batch in a step: cropped, flipped, nothing else."""
        number = (step * self.process.world + self.process.rank) * self.config.batch + row
        return self.loader.load(self.schedule.draw(number), generator(self.seed, "window", number))

    def look(self, step: int, items: list[Sample]) -> Lesson:
        """Pastes this batch's pseudo objects; later what the network discovers in the batch before, too."""
        cutouts = [cutout for sample in items for cutout in cutouts_of(sample)]
        due = (
            step >= self.config.self_enhanced_from
            and (step - self.config.self_enhanced_from) % self.config.self_enhanced_every == 0
        )
        if due and self.before and self.config.copy_paste:
            new = discovered(self.networks[self.result], self.before, self.config.paste_score, self.crew.threads)
            cutouts = cutouts + new if self.config.paste == "both" else new
        self.before = items
        return Lesson(items, cutouts)

    def augment(self, step: int, lesson: Lesson) -> list[Sample]:
        """Copy-paste, one size for all, photometric changes."""
        vary = partial(self._augment, cutouts=lesson.cutouts, size=self.size(step))
        return list(
            self.crew.threads.map(
                vary, [(step, self.process.rank, row) for row in range(len(lesson.samples))], lesson.samples
            )
        )

    def size(self, step: int) -> Size:
        """The one size of a step's images, the same for all processes."""
        sizes = jitter_sizes(self.loader.size, self.config.jitter)
        return sizes[int(generator(self.seed, "size", step).integers(len(sizes)))]

    def _augment(self, numbers: tuple[int, ...], sample: Sample, cutouts: list[Cutout], size: Size) -> Sample:
        sample = paste_objects(sample, cutouts, self.config.copy_paste, generator(self.seed, "paste", *numbers))
        sample = without_slivers(
            crop_sample(sample, whole(sample.semantic.shape), size), self.config.ignore_unknown_things
        )
        return replace(sample, image=LIGHT[self.config.light](sample.image, generator(self.seed, "light", *numbers)))

    def options(self, step: int) -> LossOptions:
        config = self.config
        return LossOptions(
            rois=config.rois,
            rpn_samples=config.rpn_samples,
            drop_iou=config.drop_iou,
            rpn_iou=config.rpn_iou,
            drop_rpn=config.drop_rpn,
            known_background=config.known_background,
            semantic_stride=config.semantic_stride,
            class_weights=self.network.spec.weights_on(self.process.device),
            generator=torch_generator(torch.device("cpu"), self.seed, "losses", step, self.process.rank),
        )

    def rate(self, step: int) -> float:
        config = self.config
        falling = (round((1 - config.decay) * config.steps), config.steps) if config.decay else None
        return learning_rate(config.lr, config.warmup, step, falling, config.fall == "cosine")

    def learned(self, step: int, lesson: Lesson, batch: list[Sample]) -> dict[str, float]:
        """The average follows."""
        if self.config.average:
            follow(self.networks[AVERAGE], self.network, momentum_at(step, self.config.average))
        return {"objects": float(sum(len(s.thing) for s in batch)), "sources": float(len(lesson.cutouts))}
