"""Pseudo labels on disk: NAME/KEY_class.png, NAME/KEY_instance.png (16-bit) and NAME/labels.json, written last, with a
checksum of every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.types import KnownInstance
from cups_train.errors import ResultError
from cups_train.files import read_image, read_json, write_image, write_json
from cups_train.folders.layout import JOINING, LABELS


@dataclass(frozen=True)
class LabelInstance:
    """One moving or standing object of a label. Where `class_id` is a stuff class its motion is not believed: no
    target, its pixels are ignored."""

    id: int  # in the frame's instance map
    class_id: int
    score: float  # in [0, 1]
    track_id: int | None
    pixels: int


@dataclass(frozen=True)
class LabelledFrame:
    """One frame's label; the maps are read when asked for."""

    folder: Path
    key: str
    stamp_ns: int
    instances: tuple[LabelInstance, ...]
    reason: str | None  # why there is no instance
    sha256: str | None = None  # of the files of both maps; None: of a store that keeps none

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) uint8 class ids, 0 = void, and (H, W) uint16 instance ids, 0 = none. Raises ResultError, also where a
        file changed since."""
        self.verify()
        return read_maps(self.folder, self.key)

    def verify(self) -> None:
        """Raises ResultError where a map is not what was written."""
        if self.sha256 is not None and self.sha256 != checksum(self.folder, self.key):
            raise ResultError(
                f"expected the maps of frame {self.key} in {self.folder} as they were written, found others; delete "
                "that folder and "
                "its stage's done.json, and `cups-train pseudo-label` makes them again"
            )


def known_instances(instances: Sequence[LabelInstance]) -> dict[int, KnownInstance]:
    """What is known of the instances of a map, by their ids in it."""
    return {i.id: KnownInstance(i.class_id, i.score, i.track_id or 0) for i in instances}


def write_class_of(labels: Path, class_of: Sequence[int], more: Mapping[str, Any]) -> None:
    """labels/joining.json: which class each cluster of the class maps became, in order, and `more` about how. Empty:
    clusters are classes."""
    write_json(labels / JOINING, {"class_of": list(class_of), **more})


def read_class_of(labels: Path) -> tuple[int, ...]:
    """Class of each cluster, in order; empty: clusters are classes. Raises ResultError as `read_joining` does."""
    return tuple(read_joining(labels)["class_of"])


def read_joining(labels: Path) -> dict[str, Any]:
    """What `write_class_of` wrote. Raises ResultError where it does not fit."""
    path = labels / JOINING
    try:
        tree = read_json(path)
        return {**tree, "class_of": [int(c) for c in tree["class_of"]]}
    except (KeyError, TypeError, ValueError, ResultError) as error:
        raise ResultError(
            f"expected the classes of the clusters in {path}, found none or a damaged file; "
            "`cups-train pseudo-label` makes them again"
        ) from error


def class_path(folder: Path, key: str) -> Path:
    return folder / f"{key}_class.png"


def instance_path(folder: Path, key: str) -> Path:
    return folder / f"{key}_instance.png"


def holds(folder: Path, key: str, class_map: np.ndarray, instances: np.ndarray) -> bool:
    """Whether both (H, W) maps are there, whole, and these."""
    if not class_path(folder, key).is_file() or not instance_path(folder, key).is_file():
        return False
    try:
        there = read_maps(folder, key)
    except ResultError:
        return False  # damaged: the frame is labelled again
    return bool(np.array_equal(there[0], class_map) and np.array_equal(there[1], instances))


def checksum(folder: Path, key: str) -> str:
    """sha256 of the files of both maps. Raises ResultError where one is missing."""
    digest = hashlib.sha256()
    for path in (class_path(folder, key), instance_path(folder, key)):
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise ResultError(
                f"expected a label map in {path}, found {error.strerror}; `cups-train pseudo-label` makes it again"
            ) from error
    return digest.hexdigest()


def write_maps(folder: Path, key: str, class_map: np.ndarray, instances: np.ndarray) -> None:
    """(H, W) class ids and instance ids of one frame; each file is whole or absent."""
    write_image(class_path(folder, key), class_map.astype(np.uint8))
    write_image(instance_path(folder, key), instances.astype(np.uint16))


def read_maps(folder: Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) uint8 class ids and (H, W) uint16 instance ids of one frame. Raises ResultError."""
    class_map, instances = read_image(class_path(folder, key)), read_image(instance_path(folder, key))
    if class_map.ndim != 2 or class_map.shape != instances.shape:
        raise ResultError(
            f"expected two one-channel maps of one size for frame {key} in {folder}, found {class_map.shape} and "
            f"{instances.shape}; "
            f"delete the folder to make it again"
        )
    return class_map, instances.astype(np.uint16)


def write_labels(folder: Path, name: str, frames: list[LabelledFrame]) -> None:
    """labels.json of one recording, once all its maps are there."""
    rows = [
        {
            "key": f.key,
            "stamp_ns": f.stamp_ns,
            "instances": [asdict(i) for i in f.instances],
            "reason": f.reason,
            "sha256": checksum(folder, f.key) if f.sha256 is None else f.sha256,
        }
        for f in frames
    ]
    write_json(folder / LABELS, {"recording": name, "frames": rows})


def read_labels(folder: Path) -> list[LabelledFrame]:
    """All labelled frames of one recording's folder, in order. Raises ResultError where labels.json is missing or does
    not fit."""
    tree = read_json(folder / LABELS)
    try:
        return [
            LabelledFrame(
                folder,
                str(row["key"]),
                int(row["stamp_ns"]),
                tuple(LabelInstance(**i) for i in row["instances"]),
                row["reason"],
                row.get("sha256"),
            )
            for row in tree["frames"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(
            f"expected the frames of a labelled recording in {folder / LABELS}, found "
            f"{type(error).__name__} at {error}; "
            f"`cups-train pseudo-label` makes it again"
        ) from error
