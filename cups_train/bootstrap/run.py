"""Stage 2: the loop."""
from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cups_ros.types import Classes
from cups_train.bootstrap.discoveries import discovered
from cups_train.bootstrap.frames import Loader, Schedule, index_frames
from cups_train.config import BootstrapConfig, NetworkConfig
from cups_train.folders.layout import CHECKPOINT, overlay_path
from cups_train.network import LossOptions, NetworkSpec, PanopticNetwork, build_network, make_spec
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.training.batch import image_batch, prefetch, sample_threads, target_of
from cups_train.training.copy_paste import PasteSource, paste_objects, sources_of
from cups_train.training.crop import Size, crop_sample, jitter_sizes, whole
from cups_train.training.distributed import Place, losses_module, take_place
from cups_train.training.journal import Journal, Stopwatch
from cups_train.training.optimise import Optimisation, learning_rate, make_optimiser
from cups_train.training.photometric import photometric
from cups_train.training.pictures import write_picture
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.sample import Sample, without_slivers
from cups_train.training.state import State, load_state, save_state

NETWORK = "network"


def run(recordings: Sequence[Recording], labels: Path, classes: Classes, out: Path, network: NetworkConfig, config: BootstrapConfig, seed: int,
        device: torch.device | str) -> Path:
    """Train the network on the pseudo labels in `labels`; out/checkpoint.safetensors. A killed run goes on from its last checkpoint
    and ends with the same weights as one that was not. Several processes started by torchrun share the work."""
    spec = make_spec(network, classes, [(r.camera.height, r.camera.width) for r in recordings])
    frames = index_frames(recordings, labels, classes)
    loader = Loader(recordings, classes, (spec.height, spec.width), config.ignore_unknown_things)
    with take_place(device) as place, sample_threads(place.device) as loading, sample_threads(place.device) as threads:
        stage = Stage(config, seed, place, loader, Schedule.of(frames, config.empty_frames, seed), loading, threads)
        train(stage, spec, network.weights, out)
    return out / CHECKPOINT


@dataclass(frozen=True, eq=False)
class Stage:
    """What all steps share."""

    config: BootstrapConfig
    seed: int
    place: Place
    loader: Loader
    schedule: Schedule
    loading: ThreadPoolExecutor  # reads samples in advance
    threads: ThreadPoolExecutor  # works on the samples of the step

    def clean(self, step: int, row: int) -> Sample:
        """Sample `row` of this process's batch in a step: cropped, flipped, nothing else."""
        number = (step * self.place.world + self.place.rank) * self.config.batch + row
        return self.loader.load(self.schedule.draw(number), generator(self.seed, "window", number))

    def size(self, step: int) -> Size:
        """The one size of a step's images, the same for all processes."""
        sizes = jitter_sizes(self.loader.size, self.config.jitter)
        return sizes[int(generator(self.seed, "size", step).integers(len(sizes)))]

    def augment(self, step: int, samples: list[Sample], sources: list[PasteSource]) -> list[Sample]:
        """Copy-paste, one size for all, photometric changes."""
        size = self.size(step)
        return list(self.threads.map(lambda row: self._augment(step, row, samples[row], sources, size), range(len(samples))))

    def _augment(self, step: int, row: int, sample: Sample, sources: list[PasteSource], size: Size) -> Sample:
        numbers = step, self.place.rank, row
        sample = paste_objects(sample, sources, self.config.copy_paste, generator(self.seed, "paste", *numbers))
        sample = without_slivers(crop_sample(sample, whole(sample.semantic.shape), size), self.config.ignore_unknown_things)
        return replace(sample, image=photometric(sample.image, generator(self.seed, "light", *numbers)))

    def sources(self, step: int, samples: list[Sample], before: list[Sample], network: PanopticNetwork) -> list[PasteSource]:
        """What this step pastes: this batch's pseudo objects; later what the network discovers in the batch before, too (T15: not earlier)."""
        pseudo = [source for sample in samples for source in sources_of(sample)]
        if step < self.config.self_enhanced_from or not before or not self.config.copy_paste:
            return pseudo
        new = discovered(network, before, self.config.paste_score, self.threads)
        return new if self.config.compat == "reference" else pseudo + new

    def options(self, step: int) -> LossOptions:
        config = self.config
        return LossOptions(rois=config.rois, rpn_samples=config.rpn_samples, drop_iou=config.drop_iou, drop_rpn=config.drop_rpn,
                           known_background=config.known_background and config.compat != "reference",
                           generator=torch_generator(torch.device("cpu"), self.seed, "losses", step, self.place.rank))


def train(stage: Stage, spec: NetworkSpec, weights: Path | None, out: Path) -> None:
    """All steps that are left to do."""
    config, place = stage.config, stage.place
    journal = Journal(out, config.steps, place.first)
    network, optimiser, start = begin(stage, spec, weights, out, journal)
    module, optimisation = losses_module(network.train(), place, config.bf16), Optimisation(optimiser, config.clip)
    first = max(0, start - 1)  # the batch before the first step is a source of pastes
    before: list[Sample] = []
    batches = prefetch(stage.clean, range(first, config.steps), config.batch, stage.loading)
    falling = (round((1 - config.decay) * config.steps), config.steps) if config.decay else None
    data = Stopwatch()  # runs while the network waits for data
    for step, samples in progress(batches, "bootstrap", config.steps, first):
        if step >= start:
            data.stop()
            sources = stage.sources(step, samples, before, network)
            data.start()
            batch = stage.augment(step, samples, sources)
            images, targets = image_batch([s.image for s in batch], place.device), [target_of(s, place.device) for s in batch]
            data.stop()
            lr = learning_rate(config.lr, config.warmup, step, falling)
            values = optimisation.step(lambda: module(images, targets, stage.options(step)), lr)  # noqa: B023
            journal.step(step + 1, {**values, "lr": lr, "objects": float(sum(len(s.thing) for s in batch)), "sources": float(len(sources)),
                                    "data_seconds": data.take()})
            finish_step(stage, step + 1, network, optimiser, out, batch)
        before = samples
        data.start()


def begin(stage: Stage, spec: NetworkSpec, weights: Path | None, out: Path, journal: Journal) -> tuple[PanopticNetwork, torch.optim.Optimizer, int]:
    """Network and optimiser of the last checkpoint, or new ones; and the steps done."""
    config, place = stage.config, stage.place
    state = load_state(out, identity(stage, spec), NETWORK if place.first else None, place.device)
    network = state.networks[NETWORK] if state else build_network(spec, weights, stage.seed).to(place.device)
    optimiser = make_optimiser(network, config.lr, config.weight_decay)
    start = 0
    if state:
        optimiser.load_state_dict(state.optimiser)
        start = state.step
    journal.start(start)
    journal.text(f"{f'goes on after step {start}' if start else 'starts'}: {config.steps} steps of {config.batch} x {place.world} images, "
                 f"input {spec.height}x{spec.width}, {len(stage.schedule.with_object)} frames with objects, {len(stage.schedule.empty)} without, "
                 f"{len(spec.classes.things)} thing and {len(spec.classes.stuff)} stuff classes, device {place.device}")
    return network, optimiser, start


def identity(stage: Stage, spec: NetworkSpec) -> dict[str, Any]:
    """What a checkpoint must have been made with to be gone on from.

    More steps may be asked for later, unless the learning rate falls towards the last one; names of classes may change.
    """
    free = {"checkpoint_every", "pictures_every"} | (set() if stage.config.decay else {"steps"})
    config = stage.config.model_dump(mode="json", exclude=free)
    recordings = [recording.fingerprint for recording in stage.loader.recordings]
    network = {**spec.to_json(), "classes": [c.isthing for c in spec.classes]}
    return {"config": config, "seed": stage.seed, "world": stage.place.world, "spec": network, "recordings": recordings}


def finish_step(stage: Stage, done: int, network: PanopticNetwork, optimiser: torch.optim.Optimizer, out: Path, batch: list[Sample]) -> None:
    """Checkpoint and picture where they are due."""
    config, last = stage.config, done == stage.config.steps
    if stage.place.first and (done % config.pictures_every == 0 or last or done == 1):
        write_picture(overlay_path(out, f"{done:06d}"), batch, network)
    if done % config.checkpoint_every == 0 or last:
        if stage.place.first:
            save_state(out, State(done, {NETWORK: network}, optimiser.state_dict()), identity(stage, network.spec), "bootstrap", NETWORK)
        stage.place.wait()
