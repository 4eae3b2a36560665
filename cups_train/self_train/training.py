"""Stage 3: what a step learns from the teacher."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cups_train.config import SelfTrainConfig
from cups_train.files import sha256
from cups_train.folders.layout import CHECKPOINT
from cups_train.network import Detections, LossOptions, PanopticNetwork, load_checkpoint
from cups_train.published import self_labels as published
from cups_train.recording import Recording
from cups_train.self_train.self_labels import LabelRule, self_label, semantic_labels
from cups_train.self_train.teacher import momentum_for
from cups_train.self_train.threshold import LOWEST, MOST_FIRST, HeldThreshold, Watch
from cups_train.self_train.validation import Contest, Validation
from cups_train.self_train.views import Consensus, look, view_sizes
from cups_train.training.average import follow, still_copy
from cups_train.training.batch import image_batch
from cups_train.training.copy_paste import Cutout, cutouts_of, paste_objects
from cups_train.training.crop import Size, crop_sample, cut, jitter_sizes, random_window, resize_image
from cups_train.training.loop import train
from cups_train.training.panoptic import Lesson, PanopticTraining, crew_on
from cups_train.training.photometric import LIGHT
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.sample import IGNORE, Sample, without_slivers
from cups_train.training.state import State
from cups_train.types import Work

logger = logging.getLogger(__name__)
STUDENT, TEACHER, BEST = "student", "teacher", "best"
CROP = (0.5, 1.0)  # short side of the student's crop, share of the labelled image's
SEMANTIC_RULES = {"best": semantic_labels, "published": published.semantic_labels}


def self_train(recordings: Sequence[Recording], start: Path, out: Path, config: SelfTrainConfig, work: Work) -> Path:
    """Train the heads of the checkpoint `start` on all frames of the recordings; out/checkpoint.safetensors.

    A killed run goes on from its last checkpoint and ends with the same weights as one that was not.
    """
    with crew_on(work.device) as crew:
        first = Start(load_checkpoint(start, crew.process.device), sha256(start))
        training = SelfTraining(config, "self_train", out, work.seed, crew, first, recordings)
        train(training, training.plan)
    return out / CHECKPOINT


@dataclass(frozen=True, eq=False)
class Start:
    """The network that stage 3 begins with."""

    network: PanopticNetwork
    sha256: str  # of its checkpoint


@dataclass(eq=False)
class SelfTraining(PanopticTraining[np.ndarray]):
    """Images of all frames, labelled by a slow copy of the network that learns."""

    config: SelfTrainConfig
    start: Start
    recordings: Sequence[Recording]

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = self.start.network.spec
        self.input_size = spec.height, spec.width
        self.view_sizes = view_sizes(self.input_size, self.config.scales)
        self.frames = tuple((recording, stamp.key) for recording in self.recordings for stamp in recording.stamps)
        self.momentum = momentum_for(self.config.steps, self.config.momentum)
        self.threshold = HeldThreshold(min(MOST_FIRST, self.config.steps * self.config.batch * self.process.world // 4))
        self.watch = Watch(self.journal, self.config.steps)

    @property
    def result(self) -> str:
        return BEST if self.config.validate_every else self.config.result

    def begin(self, found: State | None) -> dict[str, PanopticNetwork]:
        student = found.networks[STUDENT] if found else self.start.network
        teacher = still_copy(found.networks[TEACHER] if found else student)
        student.freeze_backbone()
        if found and found.memory:
            self.threshold = HeldThreshold(**found.memory["threshold"])
        networks = {STUDENT: student, TEACHER: teacher}
        return {**networks, **self._judged(found, still_copy(student))} if self.config.validate_every else networks

    def _judged(self, found: State | None, start: PanopticNetwork) -> dict[str, PanopticNetwork]:
        """The best network so far; stage 2's is judged first."""
        self.validation = Validation.of(self.recordings, self.config.validation_frames)
        if found:
            self.contest = Contest.from_json(found.memory["contest"])
            return {BEST: found.networks[BEST].requires_grad_(False)}
        agreement, shown = self.validation.judge(start)
        self.contest = Contest(agreement, shown, agreement)
        return {BEST: start}

    def headline(self) -> str:
        return (
            f"{len(self.frames)} frames, views {self.view_sizes} plain and mirrored, momentum {self.momentum:.5f}"
            + (f"; stage 2: {self.contest.start}" if self.config.validate_every else "")
        )

    def identity(self) -> dict[str, Any]:
        config = self.config.model_dump(mode="json", exclude={"checkpoint_every", "pictures_every"})
        recordings = [recording.fingerprint for recording in self.recordings]
        return {
            "config": config,
            "seed": self.seed,
            "world": self.process.world,
            "start": self.start.sha256,
            "recordings": recordings,
        }

    def read(self, step: int, row: int) -> np.ndarray:
        """(H, W, 3) image `row` of this process's batch: a frame's largest window in the network's aspect ratio, at the
        size of the largest view."""
        number = (step * self.process.world + self.process.rank) * self.config.batch + row
        epoch, position = divmod(number, len(self.frames))
        recording, key = self.frames[int(generator(self.seed, "frames", epoch).permutation(len(self.frames))[position])]
        image, size = recording.left(key), max(self.view_sizes)
        window = random_window(image.shape[:2], size[1] / size[0], (1.0, 1.0), generator(self.seed, "window", number))
        return resize_image(cut(image, window), size)

    def look(self, step: int, items: list[np.ndarray]) -> Lesson:
        """The teacher's labels of the images (H, W, 3) uint8; their objects are pasted among them."""
        samples, score = self.labels(step, items)
        cutouts = [cutout for sample in samples for cutout in cutouts_of(sample)]
        instances, ignored = (
            sum(len(s.thing) for s in samples),
            float(np.mean([np.mean(s.semantic == IGNORE) for s in samples])),
        )
        self.watch.look(instances)
        return Lesson(samples, cutouts, {"score": score, "instances": instances / len(samples), "ignored": ignored})

    def labels(self, step: int, images: list[np.ndarray]) -> tuple[list[Sample], float]:
        """The teacher's labels of (H, W, 3) images, and the score from which its instances became labels."""
        config, device, teacher, score = self.config, self.process.device, self.networks[TEACHER], self.score(step)
        lowest = LOWEST * score if config.hold else score
        lowest = lowest if config.unsure is None else min(config.unsure, lowest)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16 and device.type == "cuda"):
            seen = look(teacher, image_batch(images, device), self.view_sizes, lowest)
        semantic = [
            SEMANTIC_RULES[config.semantic_rule](one.semantic, config.class_share).cpu().numpy() for one in seen
        ]
        hosted = [_to_host(one) for one in seen]
        if config.hold:
            score = self.threshold.hold(self.process.gather([one.found.scores.tolist() for one in hosted]), score)
        unsure = score if config.unsure is None else min(config.unsure, score)
        label = partial(self_label, rule=LabelRule(teacher.spec.classes, score, unsure, config.ignore_unknown_things))
        return list(self.crew.threads.map(label, images, hosted, semantic)), score

    def score(self, step: int) -> float:
        """The instance threshold, which may rise with the rounds."""
        return min(
            0.99, self.config.instance_score + self.config.round_step * (step * self.config.rounds // self.config.steps)
        )

    def augment(self, step: int, lesson: Lesson) -> list[Sample]:
        """Copy-paste among the batch, a crop of one size for each image, one size for all, photometric changes."""
        rng = generator(self.seed, "size", step)
        sizes = jitter_sizes(self.input_size, self.config.jitter)
        size, share = sizes[int(rng.integers(len(sizes)))], float(rng.uniform(*CROP)) ** 2
        vary = partial(self._augment, cutouts=lesson.cutouts, size=size, share=share)
        return list(
            self.crew.threads.map(
                vary, [(step, self.process.rank, row) for row in range(len(lesson.samples))], lesson.samples
            )
        )

    def _augment(
        self, numbers: tuple[int, ...], sample: Sample, cutouts: list[Cutout], size: Size, share: float
    ) -> Sample:
        sample = paste_objects(sample, cutouts, self.config.copy_paste, generator(self.seed, "paste", *numbers))
        window = random_window(
            sample.semantic.shape, size[1] / size[0], (share, share), generator(self.seed, "crop", *numbers)
        )
        sample = without_slivers(crop_sample(sample, window, size), ignore_unknown=True)
        return replace(sample, image=LIGHT[self.config.light](sample.image, generator(self.seed, "light", *numbers)))

    def options(self, step: int) -> LossOptions:
        """drop_iou null: every proposal without a self-label is background (published); else only where the self-labels
        know that it is."""
        drop = self.config.drop_iou
        return LossOptions(
            rois=self.config.rois,
            drop_iou=drop,
            rpn_iou=self.config.rpn_iou,
            drop_rpn=drop is not None,
            known_background=drop is not None,
            semantic_stride=self.config.semantic_stride,
            class_weights=self.network.spec.weights_on(self.process.device),
            generator=torch_generator(torch.device("cpu"), self.seed, "losses", step, self.process.rank),
        )

    def learned(self, step: int, lesson: Lesson, batch: list[Sample]) -> dict[str, float]:
        """The teacher follows; now and then both are judged."""
        follow(self.networks[TEACHER], self.network, self.momentum)
        every, last = self.config.validate_every, step + 1 == self.config.steps
        return {**lesson.facts, **(self.judge(step + 1, last) if every and ((step + 1) % every == 0 or last) else {})}

    def judge(self, done: int, last: bool) -> dict[str, float]:
        """Teacher and student against the best so far; what the journal says of it."""
        facts = {}
        for name in (TEACHER, STUDENT) if self.process.first else ():
            agreement, _ = self.validation.judge(self.networks[name], self.contest.shown)
            facts[f"{name}_agreement"] = agreement.worth
            self.journal.text(f"after step {done}, {name}: {agreement}")
            if self.contest.enter(agreement, done):
                self.networks[BEST].load_state_dict(self.networks[name].state_dict())
        if last and self.process.first:
            self.journal.text(self.contest.verdict())
            logger.info(self.contest.verdict())
        return facts

    def memory(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold.to_json(),
            **({"contest": self.contest.to_json()} if self.config.validate_every else {}),
        }


def _to_host(seen: Consensus) -> Consensus:
    """The same on the CPU, but for the semantic probabilities, which stay where they are."""
    found = seen.found
    return Consensus(
        Detections(found.boxes.cpu(), found.scores.cpu(), found.thing.cpu()), seen.masks.cpu(), seen.semantic
    )
