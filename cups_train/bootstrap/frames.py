"""The labelled frames of all recordings, and which of them a step trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_ros.types import Classes
from cups_train.errors import ResultError
from cups_train.folders.labels import LabelledFrame, read_labels
from cups_train.recording import Recording
from cups_train.training.crop import AREA_FRACTION, Size, cut, random_window, resize_image, resize_labels
from cups_train.training.randomness import generator
from cups_train.training.sample import Sample, label_sample, without_slivers


@dataclass(frozen=True)
class TrainingFrame:
    """One frame with its label."""

    recording: int  # index of its recording in the list
    label: LabelledFrame
    has_object: bool  # an instance of a thing class


@dataclass(frozen=True, eq=False)
class LabelledRecordings:
    """Recordings with their pseudo labels."""

    recordings: Sequence[Recording]
    labels: Path  # holds a label folder NAME for each recording
    classes: Classes  # of the labels
    semantics: Path | None = None  # where stage 1b learned the classes; None: they were learned elsewhere


def index_frames(labelled: LabelledRecordings) -> list[TrainingFrame]:
    """All frames that have labels, in order. Raises ResultError where a recording has no label folder."""
    frames = []
    for number, recording in enumerate(labelled.recordings):
        for label in read_labels(labelled.labels / recording.name):
            has_object = any(labelled.classes.is_thing(instance.class_id) for instance in label.instances)
            frames.append(TrainingFrame(number, label, has_object))
    if not frames:
        raise ResultError(
            f"expected labelled frames in {labelled.labels}, found none; make them with `cups-train pseudo-label`"
        )
    return frames


@dataclass(frozen=True, eq=False)
class Schedule:
    """Frames in random order without replacement, those without objects a fixed share of all that are drawn."""

    with_object: tuple[TrainingFrame, ...]
    empty: tuple[TrainingFrame, ...]
    empty_share: float
    seed: int

    @classmethod
    def of(cls, frames: list[TrainingFrame], empty_share: float, seed: int) -> Schedule:
        """Where there are no frames with objects, or none without, the others are all that is drawn."""
        with_object, empty = tuple(f for f in frames if f.has_object), tuple(f for f in frames if not f.has_object)
        return cls(with_object, empty, 1.0 if not with_object else 0.0 if not empty else empty_share, seed)

    def draw(self, number: int) -> TrainingFrame:
        """The frame of the `number`-th sample of the whole training."""
        empties = int(number * self.empty_share)
        if int((number + 1) * self.empty_share) > empties:
            return self._shuffled(self.empty, empties, "empty")
        return self._shuffled(self.with_object, number - empties, "with object")

    def _shuffled(self, frames: tuple[TrainingFrame, ...], number: int, concern: str) -> TrainingFrame:
        epoch, position = divmod(number, len(frames))
        return frames[int(generator(self.seed, concern, epoch).permutation(len(frames))[position])]


@dataclass(frozen=True, eq=False)
class Loader:
    """Reads frames with their labels as samples of the network's input size."""

    labelled: LabelledRecordings
    size: Size
    ignore_unknown: bool

    def load(self, frame: TrainingFrame, rng: np.random.Generator) -> Sample:
        """A random window in the network's aspect ratio, flipped for half of the samples."""
        recording = self.labelled.recordings[frame.recording]
        image, (class_map, instance_map) = recording.left(frame.label.key), frame.label.maps()
        if image.shape[:2] != class_map.shape:
            raise ResultError(
                f"expected labels of {image.shape[1]}x{image.shape[0]} px for frame {frame.label.key} of "
                f"{recording.name}, found "
                f"{class_map.shape[1]}x{class_map.shape[0]} px in {frame.label.folder}; delete "
                "the folder to make it again"
            )
        window = random_window(image.shape[:2], self.size[1] / self.size[0], AREA_FRACTION, rng)
        image, class_map, instance_map = cut(image, window), cut(class_map, window), cut(instance_map, window)
        if rng.random() < 0.5:
            image, class_map, instance_map = (
                np.ascontiguousarray(array[:, ::-1]) for array in (image, class_map, instance_map)
            )
        image, class_map, instance_map = (
            resize_image(image, self.size),
            resize_labels(class_map, self.size),
            resize_labels(instance_map, self.size),
        )
        class_of = {instance.id: instance.class_id for instance in frame.label.instances}
        sample = label_sample(image, class_map, instance_map, class_of, self.labelled.classes, self.ignore_unknown)
        return without_slivers(sample, self.ignore_unknown)
