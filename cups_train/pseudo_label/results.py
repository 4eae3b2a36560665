"""Finished labels as pictures and as result folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cups_ros.colors import overlay
from cups_ros.types import Classes
from cups_train.files import write_image
from cups_train.folders.labels import LabelledFrame, read_labels
from cups_train.folders.layout import overlay_path
from cups_train.folders.results import ResultWriter
from cups_train.output import check_output, replacing
from cups_train.picks import shown
from cups_train.progress import progress
from cups_train.pseudo_label.label import panoptic_of
from cups_train.recording import Recording

KIND = "pseudo-label --export"


def write_pictures(recording: Recording, folder: Path, frames: list[LabelledFrame], classes: Classes) -> None:
    """folder/overlays/KEY.jpg of a few frames."""
    for frame in (frames[i] for i in sorted(shown(len(frames)))):
        picture = overlay_path(folder, frame.key)
        if not picture.is_file():
            write_image(
                picture,
                overlay(recording.left(frame.key), panoptic_of(*frame.maps(), frame.instances, classes), classes),
            )


def export_results(
    labels: Path, classes: Classes, recordings: Sequence[Recording], out: Path, force: bool = False
) -> list[Path]:
    """Write finished labels as result folders: `out` itself for one recording, out/NAME for several; the folders."""
    folders = [out if len(recordings) == 1 else out / r.name for r in recordings]
    for folder in folders:
        check_output(folder, KIND, "--export", force)
    for recording, folder in zip(recordings, folders, strict=True):
        with replacing(folder, KIND) as new:
            writer = ResultWriter(new, classes, {"kind": "labels", "recording": recording.name})
            for frame in progress(read_labels(labels / recording.name), f"export {recording.name}"):
                writer.write(frame.key, frame.stamp_ns, panoptic_of(*frame.maps(), frame.instances, classes))
            writer.close()
    return folders
