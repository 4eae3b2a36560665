"""Result folders of a model for any recordings or images; which model it is makes no difference here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cups_ros.colors import overlay
from cups_ros.types import Classes, Panoptic
from cups_train.config import RecordingConfig
from cups_train.files import write_image
from cups_train.folders.layout import overlay_path
from cups_train.folders.results import ResultWriter
from cups_train.output import check_output, replacing
from cups_train.picks import shown
from cups_train.progress import progress
from cups_train.recording.images import ImageSource, is_image_folder, open_images
from cups_train.recording.naming import recording_names
from cups_train.recording.recording import Recording, open_recordings
from cups_train.types import ImageFrame, StereoFrame

Source = Recording | ImageSource
KIND = "predict"
WORK = ".work"  # frames of a stopped call, for the same command


@dataclass(frozen=True, eq=False)
class Prediction:
    """One frame's result."""

    key: str
    stamp_ns: int
    image: np.ndarray  # (H, W, 3) uint8 RGB
    panoptic: Panoptic


class Predictor(Protocol):
    """A model of any kind."""

    @property
    def name(self) -> str: ...

    @property
    def classes(self) -> Classes: ...

    def predictions(self, source: Source, work: Path) -> Iterator[Prediction]:
        """One for every frame of the source, in order; files on the way may be kept in the folder `work`."""
        ...


def open_sources(paths: list[Path], config: RecordingConfig) -> list[Source]:
    """RECORDING... of `cups-train predict`: stereo recordings, one camera's (--left without --right), or folders of
    images."""
    if any(is_image_folder(path) for path in paths) or (config.left and not config.right):
        return [open_images(path, config, name) for path, name in zip(paths, recording_names(paths), strict=True)]
    return list(open_recordings(paths, config))


def predict(predictor: Predictor, sources: list[Source], out: Path, force: bool = False) -> list[Path]:
    """Write a result folder for every source: `out` itself for one, out/NAME for several; give the folders back.

    An earlier result stays as it was until the new one is whole. `force`: as in `check_output`.
    """
    folders = [out if len(sources) == 1 else out / source.name for source in sources]
    for folder in folders:
        check_output(folder, KIND, force=force)
    for source, folder in zip(sources, folders, strict=True):
        with replacing(folder, KIND) as new:
            _write(predictor, source, new, folder / WORK)
            shutil.rmtree(folder / WORK, ignore_errors=True)
    return folders


def _write(predictor: Predictor, source: Source, out: Path, work: Path) -> None:
    writer = ResultWriter(
        out, predictor.classes, {"kind": "prediction", "model": predictor.name, "recording": source.name}
    )
    length = len(source.stamps) if isinstance(source, Recording) else len(source.keys)
    pictures = shown(length)
    for number, found in enumerate(progress(predictor.predictions(source, work), f"predict {source.name}", length)):
        writer.write(found.key, found.stamp_ns, found.panoptic)
        if number in pictures:
            write_image(overlay_path(out, found.key), overlay(found.image, found.panoptic, predictor.classes))
    writer.close()


def images(source: Source) -> Iterator[ImageFrame]:
    """Every image once; of a stereo pair the left one."""
    for frame in source.frames():
        yield ImageFrame(frame.key, frame.stamp_ns, frame.left) if isinstance(frame, StereoFrame) else frame
