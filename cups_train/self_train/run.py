"""Stage 3: the loop."""
from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cups_train.config import SelfTrainConfig
from cups_train.files import sha256
from cups_train.folders.layout import CHECKPOINT, overlay_path
from cups_train.network import LossOptions, PanopticNetwork, load_checkpoint
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.self_train.self_labels import self_label, semantic_labels
from cups_train.self_train.teacher import follow, make_teacher, momentum_for
from cups_train.self_train.threshold import LOWEST, MOST_FIRST, HeldThreshold, Watch
from cups_train.self_train.views import Answer, look, view_sizes
from cups_train.training.batch import image_batch, prefetch, sample_threads, target_of
from cups_train.training.copy_paste import PasteSource, paste_objects, sources_of
from cups_train.training.crop import Size, crop_sample, cut, jitter_sizes, random_window, resize_image
from cups_train.training.distributed import Place, losses_module, take_place
from cups_train.training.journal import Journal, Stopwatch
from cups_train.training.optimise import Optimisation, make_optimiser
from cups_train.training.photometric import photometric
from cups_train.training.pictures import write_picture
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.sample import IGNORE, Sample, without_slivers
from cups_train.training.state import State, load_state, save_state

STUDENT, TEACHER = "student", "teacher"
CROP = (0.5, 1.0)  # short side of the student's crop, share of the labelled image's


def run(recordings: Sequence[Recording], start: Path, out: Path, config: SelfTrainConfig, seed: int, device: torch.device | str) -> Path:
    """Train the heads of the checkpoint `start` on all frames of the recordings; out/checkpoint.safetensors.

    A killed run goes on from its last checkpoint and ends with the same weights as one that was not.
    """
    with take_place(device) as place, sample_threads(place.device) as loading, sample_threads(place.device) as threads:
        student = load_checkpoint(start, place.device)
        frames = tuple((number, stamp.key) for number, recording in enumerate(recordings) for stamp in recording.stamps)
        sizes = view_sizes((student.spec.height, student.spec.width), config.scales)
        train(Stage(config, seed, place, recordings, frames, sizes, loading, threads), student, sha256(start), out)
    return out / CHECKPOINT


@dataclass(frozen=True, eq=False)
class Stage:
    """What all steps share."""

    config: SelfTrainConfig
    seed: int
    place: Place
    recordings: Sequence[Recording]
    frames: tuple[tuple[int, str], ...]  # (recording, key)
    view_sizes: list[Size]
    loading: ThreadPoolExecutor  # reads images in advance
    threads: ThreadPoolExecutor  # works on the samples of the step

    def image(self, step: int, row: int) -> np.ndarray:
        """Image `row` of this process's batch: a frame's largest window in the network's aspect ratio, at the size of the largest view."""
        number = (step * self.place.world + self.place.rank) * self.config.batch + row
        epoch, place = divmod(number, len(self.frames))
        recording, key = self.frames[int(generator(self.seed, "frames", epoch).permutation(len(self.frames))[place])]
        image, size = self.recordings[recording].left(key), max(self.view_sizes)
        window = random_window(image.shape[:2], size[1] / size[0], (1.0, 1.0), generator(self.seed, "window", number))
        return resize_image(cut(image, window), size)

    def gamma(self, step: int) -> float:
        """The instance threshold, which may rise with the rounds (T10)."""
        return min(0.99, self.config.gamma + self.config.round_step * (step * self.config.rounds // self.config.steps))

    def labels(self, step: int, images: list[np.ndarray], teacher: PanopticNetwork, threshold: HeldThreshold) -> tuple[list[Sample], float]:
        """The teacher's labels of the images, and the score from which its instances became labels."""
        config, gamma = self.config, self.gamma(step)
        lowest = gamma if config.compat == "reference" else min(config.unsure, LOWEST * gamma)
        with torch.autocast(self.place.device.type, torch.bfloat16, enabled=config.bf16 and self.place.device.type == "cuda"):
            answers = look(teacher, image_batch(images, self.place.device), self.view_sizes, lowest)
        semantic = [semantic_labels(answer.semantic, config.zeta, config.compat).cpu().numpy() for answer in answers]
        hosted, classes = [_to_host(answer) for answer in answers], teacher.spec.classes
        if config.hold and config.compat != "reference":
            gamma = threshold.hold(self.place.gather([answer.scores.tolist() for answer in hosted]), gamma)
        unsure = gamma if config.compat == "reference" else min(config.unsure, gamma)
        ignore = config.ignore_unknown_things and config.compat != "reference"
        label = partial(self_label, classes=classes, scores=(unsure, gamma), ignore_unknown=ignore)
        return list(self.threads.map(label, images, hosted, semantic)), gamma

    def augment(self, step: int, samples: list[Sample], input_size: Size) -> list[Sample]:
        """Copy-paste among the batch, a crop of one size at a place for each image, one size for all, photometric changes."""
        rng = generator(self.seed, "size", step)
        sizes = jitter_sizes(input_size, self.config.jitter)
        size, share = sizes[int(rng.integers(len(sizes)))], float(rng.uniform(*CROP)) ** 2
        sources = [source for sample in samples for source in sources_of(sample)]
        rank = self.place.rank
        return list(self.threads.map(lambda row: self._augment((step, rank, row), samples[row], sources, size, share), range(len(samples))))

    def _augment(self, numbers: tuple[int, int, int], sample: Sample, sources: list[PasteSource], size: Size, share: float) -> Sample:
        sample = paste_objects(sample, sources, self.config.copy_paste, generator(self.seed, "paste", *numbers))
        window = random_window(sample.semantic.shape, size[1] / size[0], (share, share), generator(self.seed, "crop", *numbers))
        sample = without_slivers(crop_sample(sample, window, size), ignore_unknown=True)
        return replace(sample, image=photometric(sample.image, generator(self.seed, "light", *numbers)))

    def options(self, step: int) -> LossOptions:
        """Published: every proposal without a self-label is background. Repaired: only where the self-labels know that it is."""
        drop = None if self.config.compat == "reference" else self.config.drop_iou
        return LossOptions(rois=self.config.rois, drop_iou=drop, drop_rpn=drop is not None, known_background=drop is not None,
                           generator=torch_generator(torch.device("cpu"), self.seed, "losses", step, self.place.rank))


def train(stage: Stage, student: PanopticNetwork, start_hash: str, out: Path) -> None:
    """All steps that are left to do."""
    config, place = stage.config, stage.place
    journal = Journal(out, config.steps, place.first)
    state, optimiser, threshold = begin(stage, student, start_hash, out, journal)
    student, teacher, start = state.networks[STUDENT], state.networks[TEACHER], state.step
    input_size = student.spec.height, student.spec.width
    module, optimisation = losses_module(student, place, config.bf16), Optimisation(optimiser, config.clip)
    momentum, watch = momentum_for(config.steps, config.momentum), Watch(journal, config.steps)
    images_of_steps = prefetch(stage.image, range(start, config.steps), config.batch, stage.loading)
    data = Stopwatch()  # runs while the networks wait for data
    for step, pictures in progress(images_of_steps, "self-train", config.steps, start):
        data.stop()
        labelled, gamma = stage.labels(step, pictures, teacher, threshold)
        data.start()
        batch = stage.augment(step, labelled, input_size)
        images, targets = image_batch([s.image for s in batch], place.device), [target_of(s, place.device) for s in batch]
        data.stop()
        values = optimisation.step(lambda: module(images, targets, stage.options(step)), config.lr)  # noqa: B023
        follow(teacher, student, momentum)
        instances, ignored = sum(len(s.thing) for s in labelled), float(np.mean([np.mean(s.semantic == IGNORE) for s in labelled]))
        watch.look(instances)
        journal.step(step + 1, {**values, "lr": config.lr, "gamma": gamma, "instances": instances / len(labelled), "ignored": ignored,
                                "data_seconds": data.take()})
        finish_step(stage, replace(state, step=step + 1, optimiser=optimiser.state_dict(), memory=threshold.to_json()), start_hash, out, batch)
        data.start()
    if config.steps == 0:
        finish_step(stage, state, start_hash, out, [])


def begin(stage: Stage, student: PanopticNetwork, start_hash: str, out: Path,
          journal: Journal) -> tuple[State, torch.optim.Optimizer, HeldThreshold]:
    """Networks, optimiser and threshold of the last checkpoint, or of the start."""
    config, place = stage.config, stage.place
    found = load_state(out, identity(stage, start_hash), config.result if place.first else None, place.device)
    student = found.networks[STUDENT] if found else student
    teacher = make_teacher(found.networks[TEACHER] if found else student)
    student.freeze_backbone()
    optimiser = make_optimiser(student.train(), config.lr, config.weight_decay)
    images = config.steps * config.batch * place.world
    threshold = HeldThreshold(**found.memory) if found and found.memory else HeldThreshold(min(MOST_FIRST, images // 4))
    if found:
        optimiser.load_state_dict(found.optimiser)
    start = found.step if found else 0
    journal.start(start)
    journal.text(f"{f'goes on after step {start}' if start else 'starts'}: {config.steps} steps of {config.batch} x {place.world} images, "
                 f"{len(stage.frames)} frames, views {stage.view_sizes} plain and mirrored, "
                 f"momentum {momentum_for(config.steps, config.momentum):.5f}, device {place.device}")
    return State(start, {STUDENT: student, TEACHER: teacher}, optimiser.state_dict()), optimiser, threshold


def identity(stage: Stage, start_hash: str) -> dict[str, Any]:
    """What a checkpoint must have been made with to be gone on from."""
    config = stage.config.model_dump(mode="json", exclude={"checkpoint_every", "pictures_every"})
    recordings = [recording.fingerprint for recording in stage.recordings]
    return {"config": config, "seed": stage.seed, "world": stage.place.world, "start": start_hash, "recordings": recordings}


def finish_step(stage: Stage, state: State, start_hash: str, out: Path, batch: list[Sample]) -> None:
    """Checkpoint and picture where they are due."""
    config, done = stage.config, state.step
    last = done == config.steps
    if stage.place.first and batch and (done % config.pictures_every == 0 or last or done == 1):
        write_picture(overlay_path(out, f"{done:06d}"), batch, state.networks[STUDENT])
    if done % config.checkpoint_every == 0 or last:
        if stage.place.first:
            save_state(out, state, identity(stage, start_hash), "self_train", config.result)
        stage.place.wait()


def _to_host(answer: Answer) -> Answer:
    return Answer(answer.boxes.cpu(), answer.scores.cpu(), answer.thing.cpu(), answer.masks.cpu(), answer.semantic)
