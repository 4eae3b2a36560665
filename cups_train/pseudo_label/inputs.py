"""What stage 1c reads: motion and classes of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_train.errors import ResultError
from cups_train.files import read_image
from cups_train.folders.layout import MOTION
from cups_train.folders.motion import read_instances, read_motion
from cups_train.folders.semantics import class_map_path
from cups_train.pseudo_label.kinds import Scale
from cups_train.recording import Recording
from cups_train.types import MotionResult


@dataclass(frozen=True)
class FrameInput:
    """Where one frame's maps are."""

    motion: Path  # the recording's motion folder
    semantics: Path  # the recording's folder of class maps
    frame: MotionResult  # without its map
    scale: Scale
    recording: Recording  # pickles small

    def read(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) uint8 class ids 1..K and (H, W) uint16 object ids. Raises ResultError where they do not fit."""
        path = class_map_path(self.semantics, self.frame.key)
        class_map, instances = read_image(path), read_instances(self.motion, self.frame.key)
        if class_map.ndim != 2 or class_map.shape != instances.shape:
            raise ResultError(
                f"expected a one-channel class map of the size of the objects, {instances.shape}, in {path}, found "
                f"{class_map.shape}; "
                f"delete both stages' folders to make them again"
            )
        if class_map.min() < 1 or class_map.max() > k:
            raise ResultError(
                f"expected classes 1 to {k} in {path}, found {class_map.min()} to {class_map.max()} "
                "(semantics.clusters)"
            )
        return class_map, instances


def frame_inputs(recording: Recording, motion: Path, semantics: Path) -> Iterator[FrameInput]:
    """The inputs of every frame of a recording, in order. Raises ResultError where a frame has no motion."""
    index, scale = read_motion(motion), Scale(recording.camera.fx, recording.step_ns / 1e9)
    for stamp in recording.stamps:
        if stamp.key not in index:
            raise ResultError(
                f"expected frame {stamp.key} of {recording.name} in {motion / MOTION}, found {len(index)} others; "
                f"delete the folder to make it again"
            )
        yield FrameInput(motion, semantics, index[stamp.key], scale, recording)
