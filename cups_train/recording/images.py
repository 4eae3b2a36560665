"""Images without a partner: one camera of a recording, or a folder of files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from cups_train.config.recording import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.files import oversize
from cups_train.recording.bag import STORAGE, read_index
from cups_train.recording.calibration import rectification
from cups_train.recording.naming import recording_names
from cups_train.recording.recording import (
    ImageReader,
    calibrated_size,
    checked_size,
    image_size,
    is_rectified,
)
from cups_train.recording.topics import choose_camera
from cups_train.types import ImageFrame

ENDINGS = (".jpg", ".jpeg", ".png")


class ImageSource(Protocol):
    """Images in order, read one at a time. Pickles small."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def keys(self) -> tuple[str, ...]: ...

    def frame(self, key: str) -> ImageFrame: ...

    def frames(self) -> Iterator[ImageFrame]: ...


@dataclass(frozen=True)
class ImageFolder:
    """JPEG and PNG files of one folder; the key is the file's stem."""

    name: str
    path: Path
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def keys(self) -> tuple[str, ...]:
        """Stems in the order of frames()."""
        return tuple(Path(file).stem for file in self.files)

    def frame(self, key: str) -> ImageFrame:
        """One image. Raises RecordingError where it is damaged."""
        return self._read(self.files[self.keys.index(key)])

    def frames(self) -> Iterator[ImageFrame]:
        """Every image once, numbers in the names in their order."""
        for file in self.files:
            yield self._read(file)

    def _read(self, file: str) -> ImageFrame:
        data = np.fromfile(self.path / file, np.uint8)
        if refusal := oversize(data):
            raise RecordingError(f"expected {refusal}, in {self.path / file}")
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            raise RecordingError(f"expected an image in {self.path / file}, found a damaged file; replace or delete it")
        checked_size(image.shape[:2], str(self.path / file))
        return ImageFrame(Path(file).stem, 0, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)))


@dataclass(frozen=True, eq=False)
class CameraImages:
    """One camera of a recording in order of the stamp; the key is the index of the image."""

    name: str
    path: Path
    reader: ImageReader
    number: np.ndarray  # (N,) int64, a stride leaves numbers out
    stamp_ns: np.ndarray  # (N,) int64
    log_ns: np.ndarray  # (N,) int64

    def __len__(self) -> int:
        return int(self.number.size)

    @property
    def keys(self) -> tuple[str, ...]:
        """Six digits each, in the order of frames()."""
        return tuple(f"{number:06d}" for number in self.number)

    def frame(self, key: str) -> ImageFrame:
        """One image, by the file's index."""
        return self._read(self.keys.index(key))

    def frames(self) -> Iterator[ImageFrame]:
        """Every image once."""
        for row in range(len(self)):
            yield self._read(row)

    def _read(self, row: int) -> ImageFrame:
        image = self.reader.image_at(int(self.log_ns[row]), int(self.stamp_ns[row]))
        return ImageFrame(f"{self.number[row]:06d}", int(self.stamp_ns[row]), image)


def open_images(path: Path, config: RecordingConfig, name: str | None = None) -> ImageSource:
    """A folder of images, or the camera of a recording that `--left` names. Raises RecordingError in one sentence."""
    path = Path(path)
    name = name or recording_names([path])[0]
    if (
        path.is_dir()
        and not (path / "metadata.yaml").exists()
        and not any(f.suffix in STORAGE and not f.name.startswith(".") for f in path.iterdir())
    ):
        return _open_folder(path, name, config.stride)
    topic = choose_camera(path, config)
    size = image_size(path, topic)
    how = None
    if topic.calibration is not None:
        calibration = calibrated_size(topic, size)
        rectified = is_rectified(calibration, topic.image, config)
        how = rectification(calibration, rectified, calibration.target())
    times = read_index(path, [topic.image])[topic.image]
    order = np.argsort(times.stamp_ns, kind="stable")
    number = np.arange(order.size)[:: config.stride]
    rows = order[number]
    return CameraImages(
        name,
        path,
        ImageReader(path, topic.image, topic.type, size, how),
        number,
        times.stamp_ns[rows],
        times.log_ns[rows],
    )


def is_image_folder(path: Path) -> bool:
    """A folder without a recording in it that holds JPEG or PNG files."""
    return (
        path.is_dir()
        and not (path / "metadata.yaml").exists()
        and any(f.suffix.lower() in ENDINGS and not f.name.startswith(".") for f in path.iterdir())
    )


def _open_folder(path: Path, name: str, stride: int) -> ImageFolder:
    files = sorted(
        (
            entry.name
            for entry in os.scandir(path)
            if entry.is_file() and not entry.name.startswith(".") and Path(entry.name).suffix.lower() in ENDINGS
        ),
        key=_natural,
    )
    if not files:
        raise RecordingError(
            "expected a recording (rosbag2 folder, .mcap, .db3) or a folder of jpg or png "
            f"images, found neither in {path}"
        )
    stems = [Path(file).stem for file in files]
    twice = [stem for stem in stems if stems.count(stem) > 1] if len(set(stems)) < len(stems) else []
    if twice:
        raise RecordingError(f"expected images with different stems in {path}, found two named {twice[0]}; rename one")
    return ImageFolder(name, path, tuple(files[::stride]))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
