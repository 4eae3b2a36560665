"""Pseudo labels in the files of the published code, taken into our store: what was made with it can be trained on and
scored here.

A flat folder: STEM_semantic.png (8 bit, class 0..K-1, 255 = ignore), STEM_instance.png (8 bit, 0 = none), in the order
of the recording's frames, and one or more pseudo_classes_split_N.pt with three sums a class. Those sums are wrong after
any resume of that code, so things are told from stuff by a count of the maps themselves; the files give K.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from cups_ros.types import Classes
from cups_train.config import LabelConfig
from cups_train.errors import ResultError
from cups_train.files import read_image, sha256
from cups_train.folders.labels import LabelledFrame, checksum, write_class_of, write_labels, write_maps
from cups_train.progress import progress
from cups_train.pseudo_label.border import clear_border
from cups_train.pseudo_label.kinds import Scale, save_kinds
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.label_statistics import Findings, LabelArea, measure_frame
from cups_train.pseudo_label.motion_counts import MotionCounts, count_frame
from cups_train.pseudo_label.results import write_pictures
from cups_train.pseudo_label.split import find_split
from cups_train.pseudo_label.stage import finish
from cups_train.pseudo_label.unknown import with_unknown
from cups_train.recording import Recording
from cups_train.types import Absence, Reason

logger = logging.getLogger(__name__)
IGNORE = 255
SEMANTIC, INSTANCE = "_semantic.png", "_instance.png"
ALL = "distribution all pixels"
NOT_LABELLED = Absence(Reason.NOT_LABELLED, "no object in the published label")
ASPECT = 0.01  # largest relative difference of the aspect ratios of map and image


@dataclass(frozen=True)
class PublishedFolder:
    """One recording's published labels."""

    folder: Path
    stems: tuple[str, ...]  # in order

    def read(self, stem: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) uint8 class ids, 1..K and 0 = void, and (H, W) uint16 instance ids, at `size` (height, width). Raises
        ResultError."""
        maps = [read_image(self.folder / f"{stem}{ending}") for ending in (SEMANTIC, INSTANCE)]
        if maps[0].ndim != 2 or maps[0].shape != maps[1].shape:
            raise ResultError(
                f"expected two one-channel maps of one size for {stem} in {self.folder}, found {maps[0].shape} and "
                f"{maps[1].shape}"
            )
        height, width = maps[0].shape
        if abs(width / height * size[0] / size[1] - 1) > ASPECT:
            raise ResultError(
                f"expected published labels of the images' aspect ratio, {size[1]} x {size[0]}, in {self.folder} "
                "(--published), "
                f"found {width} x {height}"
            )
        class_map, instances = (cv2.resize(m, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) for m in maps)
        return np.where(class_map == IGNORE, 0, class_map + 1).astype(np.uint8), instances.astype(np.uint16)


def open_published(folder: Path, frames: int) -> PublishedFolder:
    """The labels of one recording with so many frames. Raises ResultError where they do not fit it."""
    stems = [{p.name.removesuffix(ending) for p in folder.glob(f"*{ending}")} for ending in (SEMANTIC, INSTANCE)]
    if not stems[0] or stems[0] != stems[1]:
        odd = sorted(stems[0] ^ stems[1])
        found = f"only one of them for {odd[0]}" if odd else "none"
        raise ResultError(f"expected STEM{SEMANTIC} and STEM{INSTANCE} in {folder} (--published), found {found}")
    if len(stems[0]) != frames:
        raise ResultError(
            f"expected published labels of the {frames} frames of the recording in {folder}, found {len(stems[0])} "
            "(--published)"
        )
    return PublishedFolder(folder, tuple(sorted(stems[0])))


def count_classes(folder: Path) -> int:
    """K, from the sums beside the maps. Raises ResultError where there are none, or a file holds anything but
    tensors."""
    sizes = set()
    for path in sorted(folder.glob("*.pt")):
        try:
            sizes.add(len(torch.load(path, map_location="cpu", weights_only=True)[ALL]))
        except (KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ResultError(
                f"expected a dictionary of tensors with {ALL!r} in {path} (--published), found {type(error).__name__}"
            ) from error
    if len(sizes) != 1:
        raise ResultError(
            f"expected pseudo_classes_split_N.pt of one number of classes in {folder} (--published), found "
            f"{sorted(sizes) or 'none'}"
        )
    return int(sizes.pop())


def take_labels(recordings: Sequence[Recording], published: Path, out: Path, config: LabelConfig) -> Classes:
    """Take the labels in PUBLISHED (PUBLISHED/NAME for several recordings) into the store `out`; the pseudo classes.

    Objects carry no motion there, so there are no kinds of movers. Raises GateError as `make_labels` does, ResultError
    where the files do not fit.
    """
    folders = [
        open_published(f, len(r.stamps)) for f, r in zip(folders_of(recordings, published), recordings, strict=True)
    ]
    k = max(count_classes(folder.folder) for folder in folders)
    pairs = list(zip(recordings, folders, strict=True))
    counts = MotionCounts.nothing(k)
    for recording, folder, stem in progress([(r, f, stem) for r, f in pairs for stem in f.stems], "count"):
        class_map, instances = folder.read(stem, _size(recording))
        if class_map.max() > k:
            raise ResultError(
                f"expected classes 0 to {k - 1} in {folder.folder / (stem + SEMANTIC)}, found {class_map.max() - 1} "
                "(--published)"
            )
        counts += count_frame(class_map, clear_border(instances, config.border), k, config)
    split = find_split(counts, config)
    rules = Rules(with_unknown(split.classes()), config)
    save_kinds(out, None)
    write_class_of(out, (), {})
    area, labelled = LabelArea.nothing(k), []
    for recording, folder in pairs:
        frames = [_label(recording, folder, out / recording.name, number, rules) for number in range(len(folder.stems))]
        area = sum((measure_frame(k, frame, None if frame.instances else NOT_LABELLED) for frame in frames), area)
        write_pictures(recording, out / recording.name, frames, rules.classes)
        write_labels(out / recording.name, recording.name, frames)
        labelled += frames
    finish(out, Findings(labelled, area, counts, split, rules), config)
    return rules.classes


def folders_of(recordings: Sequence[Recording], published: Path) -> list[Path]:
    """The folder of each recording's labels."""
    return [published if len(recordings) == 1 else published / r.name for r in recordings]


def digest(folder: Path) -> dict[str, str]:
    """File -> sha256 of all that is read of a folder."""
    return {
        path.name: sha256(path)
        for path in sorted((*folder.glob(f"*{SEMANTIC}"), *folder.glob(f"*{INSTANCE}"), *folder.glob("*.pt")))
    }


def _label(recording: Recording, folder: PublishedFolder, out: Path, number: int, rules: Rules) -> LabelledFrame:
    stamp = recording.stamps[number]
    class_map, instances = folder.read(folder.stems[number], _size(recording))
    label = label_maps(class_map, instances, (), rules, Scale(recording.camera.fx, recording.step_ns / 1e9))
    write_maps(out, stamp.key, label.class_map, label.instances)
    reason = None if label.rows else NOT_LABELLED.detail
    return LabelledFrame(out, stamp.key, stamp.stamp_ns, label.rows, reason, checksum(out, stamp.key))


def _size(recording: Recording) -> tuple[int, int]:
    return recording.camera.height, recording.camera.width
