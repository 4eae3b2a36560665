"""Stage 1c: motion and classes of every recording -> labels, and the decision which classes are things."""
from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cups_ros.colors import overlay
from cups_ros.types import Classes, Panoptic
from cups_train.config import LabelConfig
from cups_train.errors import GateError, ResultError
from cups_train.files import read_image, read_json, write_image, write_json
from cups_train.folders.labels import LabelledFrame, checksum, holds, read_labels, write_labels, write_maps
from cups_train.folders.layout import LABELS, MOTION, STATISTICS, overlay_path
from cups_train.folders.motion import read_instances, read_motion
from cups_train.folders.results import ResultWriter, begin_results
from cups_train.folders.semantics import class_map_path, read_classes
from cups_train.parallel import map_frames
from cups_train.progress import progress
from cups_train.pseudo_label.align import clear_border, count_votes
from cups_train.pseudo_label.counts import Counts, count_frame
from cups_train.pseudo_label.kinds import Lens, Objects, describe_objects, find_kinds, load_kinds, save_kinds, with_kinds
from cups_train.pseudo_label.label import Rules, label_frame, label_maps, panoptic_of
from cups_train.pseudo_label.split import Split, find_split
from cups_train.pseudo_label.statistics import LabelArea, measure_frame, statistics, verdict
from cups_train.recording import Recording
from cups_train.types import Absence, MotionResult, Reason

logger = logging.getLogger(__name__)
OVERLAYS = 4  # pictures of a recording
FRAMES_A_WORKER = 32  # fewer are done before a process has started
AT_BORDER = Absence(Reason.AT_BORDER, "all objects lie at the border of the picture")


@dataclass(frozen=True)
class FrameInput:
    """Where one frame's maps are."""

    motion: Path  # the recording's motion folder
    semantics: Path  # the recording's folder of class maps
    frame: MotionResult  # without its map
    lens: Lens

    def read(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) uint8 class ids 1..K and (H, W) uint16 object ids. Raises ResultError where they do not fit."""
        path = class_map_path(self.semantics, self.frame.key)
        class_map, instances = read_image(path), read_instances(self.motion, self.frame.key)
        if class_map.ndim != 2 or class_map.shape != instances.shape:
            raise ResultError(f"expected a one-channel class map of the size of the objects, {instances.shape}, in {path}, found {class_map.shape}; "
                              f"delete both stages' folders to make them again")
        if class_map.min() < 1 or class_map.max() > k:
            raise ResultError(f"expected classes 1 to {k} in {path}, found {class_map.min()} to {class_map.max()} (semantics.classes)")
        return class_map, instances


def run(recordings: Sequence[Recording], motion: Path, semantics: Path, out: Path, config: LabelConfig, workers: int = 1,
        seed: int = 0) -> Classes:
    """Write the labels of all recordings, out/kinds.json and out/statistics.json; the pseudo classes: 1..K, then the kinds of movers.

    Reads motion/NAME, semantics/NAME, and K and the centres of the classes in `semantics`. First all frames are counted, things told from stuff
    and kinds of moving objects found; then every frame is labelled (those that an earlier call finished from the same input are kept).
    Raises GateError where the labels are not worth training on.
    """
    inputs = {r.name: list(frame_inputs(r, motion / r.name, semantics / r.name)) for r in recordings}
    everything = [i for frames in inputs.values() for i in frames]
    workers = min(workers, 1 + len(everything) // FRAMES_A_WORKER)
    learned = read_classes(semantics)
    k, centres = learned.count, learned.centres
    counts, objects, digest = _count_all(everything, k, config, workers)
    split = find_split(counts, config, centres)
    kinds = find_kinds(objects, k + 1, config.kinds, seed) if config.compat != "reference" else None
    rules = Rules(with_kinds(split.classes(), kinds), config, kinds)
    _keep_only_labels_of(out, digest if centres is None else hashlib.sha256(digest.encode() + centres.tobytes()).hexdigest())
    save_kinds(out, kinds)
    area = LabelArea.nothing(len(rules.classes))
    labelled: dict[str, list[LabelledFrame]] = {r.name: [] for r in recordings}
    for frame, measured in progress(map_frames(partial(_label, out, rules), everything, workers), "labels", len(everything)):
        labelled[frame.folder.name].append(frame)
        area += measured
    for recording in recordings:
        write_pictures(recording, out / recording.name, labelled[recording.name], rules.classes)
        write_labels(out / recording.name, recording.name, labelled[recording.name])
    finish(out, [f for frames in labelled.values() for f in frames], (area, counts, split), rules)
    return rules.classes


def frame_inputs(recording: Recording, motion: Path, semantics: Path) -> Iterator[FrameInput]:
    """The inputs of every frame of a recording, in order. Raises ResultError where a frame has no motion."""
    index, lens = read_motion(motion), Lens(recording.camera.fx, recording.step_ns / 1e9)
    for stamp in recording.stamps:
        if stamp.key not in index:
            raise ResultError(f"expected frame {stamp.key} of {recording.name} in {motion / MOTION}, found {len(index)} others; "
                              f"delete the folder to make it again")
        yield FrameInput(motion, semantics, index[stamp.key], lens)


def read_rules(labels: Path, classes: Classes, config: LabelConfig) -> Rules:
    """By what the finished labels in a folder were made."""
    return Rules(classes, config, load_kinds(labels))


def label_recording(recording: Recording, motion: Path, semantics: Path, rules: Rules) -> Iterator[tuple[str, int, Panoptic]]:
    """(key, stamp, label) of every frame of a recording that need not be the one the classes were found on."""
    for item in frame_inputs(recording, motion, semantics):
        class_map, instances = item.read(rules.pixel_classes)
        yield item.frame.key, item.frame.stamp_ns, label_frame(class_map, instances, item.frame.objects, rules, item.lens)


def export_results(labels: Path, classes: Classes, recordings: Sequence[Recording], out: Path) -> list[Path]:
    """Write finished labels as result folders: `out` itself for one recording, out/NAME for several; the folders."""
    folders = [out if len(recordings) == 1 else out / r.name for r in recordings]
    for folder in folders:
        begin_results(folder, "--export")
    for recording, folder in zip(recordings, folders, strict=True):
        writer = ResultWriter(folder, classes, {"kind": "labels", "recording": recording.name})
        for frame in progress(read_labels(labels / recording.name), f"export {recording.name}"):
            writer.write(frame.key, frame.stamp_ns, panoptic_of(*frame.maps(), frame.instances, classes))
        writer.close()
    return folders


def _count_all(items: list[FrameInput], k: int, config: LabelConfig, workers: int) -> tuple[Counts, Objects, str]:
    """Counts over all frames, all moving objects, and a digest of what the labels will be made from."""
    counts, found, digest = Counts.nothing(k), [], hashlib.sha256(config.model_dump_json().encode())
    for frame_counts, objects, frame_digest in progress(map_frames(partial(_count, k, config), items, workers), "count", len(items)):
        counts += frame_counts
        found.append(objects)
        digest.update(frame_digest)
    return counts, Objects.together(found, k), digest.hexdigest()


def _count(k: int, config: LabelConfig, item: FrameInput) -> tuple[Counts, Objects, bytes]:
    """One frame's counts and objects, and a digest of what its label will be made from."""
    class_map, instances = item.read(k)
    facts = repr([(o.id, o.score, o.track_id, o.centroid_m, o.transform.tolist()) for o in item.frame.objects])
    digest = hashlib.sha256(class_map.tobytes() + instances.tobytes() + facts.encode())
    digest.update(f"{item.motion.name}/{item.frame.key}/{item.lens}".encode())
    cleared = clear_border(instances, config.border)
    counts = count_frame(class_map, cleared, k, config.border, config.compat == "reference")
    return counts, describe_objects(*count_votes(class_map, cleared, k), cleared, item.frame.objects, item.lens), digest.digest()


def _keep_only_labels_of(out: Path, digest: str) -> None:
    """Finished frames are kept where they were made from the same input; labels of another input are removed."""
    basis = out / "basis.json"
    if basis.is_file() and read_json(basis) == {"sha256": digest}:
        return
    basis.unlink(missing_ok=True)
    for path in (*out.glob("*/*_class.png"), *out.glob("*/*_instance.png"), *out.glob(f"*/{LABELS}"), *out.glob("*/overlays/*.jpg")):
        path.unlink()
    write_json(basis, {"sha256": digest})


def write_pictures(recording: Recording, folder: Path, frames: list[LabelledFrame], classes: Classes) -> None:
    """folder/overlays/KEY.jpg of a few frames."""
    for frame in frames[:: max(1, -(-len(frames) // OVERLAYS))]:
        picture = overlay_path(folder, frame.key)
        if not picture.is_file():
            write_image(picture, overlay(recording.left(frame.key), panoptic_of(*frame.maps(), frame.instances, classes), classes))


def _label(out: Path, rules: Rules, item: FrameInput) -> tuple[LabelledFrame, LabelArea]:
    """Label one frame and measure it from its files; those of a finished frame are left as they are, damaged ones are written again."""
    frame, folder = item.frame, out / item.motion.name
    class_map, instances = item.read(rules.pixel_classes)
    aligned, cleared, rows = label_maps(class_map, instances, frame.objects, rules, item.lens)
    if not holds(folder, frame.key, aligned, cleared):
        write_maps(folder, frame.key, aligned, cleared)
    absence = None if rows else frame.absence or AT_BORDER
    labelled = LabelledFrame(folder, frame.key, frame.stamp_ns, rows, absence.detail if absence else None, checksum(folder, frame.key))
    return labelled, measure_frame(len(rules.classes), labelled, absence)


def finish(out: Path, frames: list[LabelledFrame], found: tuple[LabelArea, Counts, Split], rules: Rules) -> None:
    """Write out/statistics.json with the gate's verdict. Raises GateError where it is not passed."""
    area, counts, split = found
    result = statistics(frames, area, counts, split, rules.classes)
    judged: Mapping[str, object] = verdict(result, rules.config)
    write_json(out / STATISTICS, {**result, "gate": judged})
    for warning in judged["warnings"]:  # type: ignore[attr-defined]
        logger.warning(warning)
    if not judged["passed"]:
        raise GateError(str(judged["message"]))
