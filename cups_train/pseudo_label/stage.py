"""Stage 1c: motion and classes of every recording -> labels, and the decision which classes are things."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cups_ros.types import Classes, Panoptic
from cups_train.config import LabelConfig
from cups_train.errors import GateError
from cups_train.files import read_object, write_json
from cups_train.folders.labels import LabelledFrame, checksum, holds, write_class_of, write_labels, write_maps
from cups_train.folders.layout import LABELS, STATISTICS
from cups_train.folders.semantics import read_classes
from cups_train.parallel import map_frames
from cups_train.progress import progress
from cups_train.pseudo_label.border import clear_border
from cups_train.pseudo_label.classes import Clusters, JoinedClasses, join, joins_needed
from cups_train.pseudo_label.gate import verdict
from cups_train.pseudo_label.guess_names import guess_movers, guess_stuff, named
from cups_train.pseudo_label.inputs import FrameInput, frame_inputs
from cups_train.pseudo_label.kinds import Objects, describe_objects, find_kinds, join_kinds, save_kinds
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.label_statistics import Findings, LabelArea, label_statistics, measure_frame
from cups_train.pseudo_label.motion_counts import MotionCounts, count_frame
from cups_train.pseudo_label.places import Places, places_of
from cups_train.pseudo_label.results import write_pictures
from cups_train.pseudo_label.sameness.frames import RecordingMaps, evidence_of
from cups_train.pseudo_label.sight import Sight, sight_of
from cups_train.pseudo_label.split import Split, find_split
from cups_train.pseudo_label.standing import measure_standing, save_standing
from cups_train.pseudo_label.unknown import with_unknown
from cups_train.pseudo_label.votes import count_votes
from cups_train.recording import Recording
from cups_train.types import Absence, MotionResult, Reason, Work

logger = logging.getLogger(__name__)
FRAMES_A_WORKER = 32  # fewer are done before a process has started
AT_BORDER = Absence(Reason.AT_BORDER, "all objects lie at the border of the picture")


@dataclass(frozen=True)
class Basis:
    """What labels are made from."""

    recordings: Sequence[Recording]
    motion: Path  # motion/NAME is the recording's motion folder
    semantics: Path  # semantics/NAME holds its maps of clusters; beside it lie K and what the clusters look like
    classes: int | None = 27  # pixel classes and kinds of movers together; None: found from the evidence


@dataclass(frozen=True, eq=False)
class FrameCount:
    """What one frame adds to the decision."""

    counts: MotionCounts
    objects: Objects
    digest: bytes  # of what its label will be made from
    lowest_score: float  # of its moving objects; 1 without any


def make_labels(basis: Basis, out: Path, config: LabelConfig, work: Work) -> Classes:
    """Write the labels of all recordings, out/kinds.json, out/joining.json and out/statistics.json; the pseudo classes:
    stuff, then kinds of movers, then unknown object.

    First all frames are counted, things told from stuff, kinds of moving objects found and clusters joined; then every
    frame is labelled (those that an earlier call finished from the same input are kept). Raises GateError where the
    labels are not worth training on.
    """
    inputs = [i for r in basis.recordings for i in frame_inputs(r, basis.motion / r.name, basis.semantics / r.name)]
    workers, learned = min(work.workers, 1 + len(inputs) // FRAMES_A_WORKER), read_classes(basis.semantics)
    k, centres = learned.count, learned.centres
    counts, objects, lowest = MotionCounts.nothing(k), [], 1.0
    digest = hashlib.sha256(config.model_dump_json().encode())
    for found in progress(map_frames(partial(_count, k, config), inputs, workers), "count", len(inputs)):
        counts += found.counts
        objects.append(found.objects)
        lowest = min(lowest, found.lowest_score)
        digest.update(found.digest)
    split = find_split(counts, config, centres)
    together = Objects.together(objects, k)
    joined = _join(basis, together, counts, split, config, work)
    standing = measure_standing(joined.kinds, together, lowest) if config.standing and joined.kinds else None
    rules = Rules(with_unknown(joined.classes), config, joined.kinds, joined.class_of, standing)
    digest.update(repr(rules.class_of).encode())
    _keep_only_labels_of(
        out,
        digest.hexdigest()
        if centres is None
        else hashlib.sha256(digest.hexdigest().encode() + centres.tobytes()).hexdigest(),
    )
    save_kinds(out, joined.kinds)
    save_standing(out, standing)
    write_class_of(out, joined.class_of, joined.how)
    frames, area = _label_all(inputs, basis.recordings, out, rules, workers)
    finish(out, Findings(frames, area, counts, split, rules), config)
    return rules.classes


def _join(
    basis: Basis, objects: Objects, counts: MotionCounts, split: Split, config: LabelConfig, work: Work
) -> JoinedClasses:
    """The classes that a user sees, under guessed names. Evidence is gathered only where there is something to join."""
    learned = read_classes(basis.semantics)
    kinds = find_kinds(objects, learned.count + 1, config.kinds, work.seed)
    if kinds is not None:
        kinds = join_kinds(kinds, objects, config.movers)
    clusters = Clusters(
        split, learned.looks, counts.n_all[1:].astype(np.int64), None if kinds is None else kinds.votes(objects)
    )
    evidence, places = None, Places.nothing(learned.count)
    if joins_needed(clusters, kinds, basis.classes):
        sources = [RecordingMaps(r, basis.motion / r.name, basis.semantics / r.name) for r in basis.recordings]
        evidence = evidence_of(sources, learned.count, work.workers)
        places = places_of(sources, learned.count, work.workers)
    joined = join(clusters, kinds, basis.classes, evidence, config)
    stuff = {
        i: name
        for i, name in guess_stuff(places.joined(joined.class_of, len(joined.classes))).items()
        if i in joined.classes.stuff
    }
    return replace(joined, classes=named(joined.classes, {**stuff, **guess_movers(joined.kinds, objects)}))


def label_recording(
    recording: Recording, motion: Path, semantics: Path, rules: Rules
) -> Iterator[tuple[MotionResult, Panoptic]]:
    """Every frame, without its map, and its label; the recording need not be one that the classes were found on."""
    for item in frame_inputs(recording, motion, semantics):
        class_map, instances = item.read(rules.clusters)
        label = label_maps(class_map, instances, item.frame.objects, rules, item.scale, _sight(rules, item))
        yield item.frame, label.panoptic(rules.classes)


def finish(out: Path, found: Findings, config: LabelConfig) -> None:
    """Write out/statistics.json with the gate's verdict. Raises GateError where it is not passed."""
    statistics = label_statistics(found)
    judged: Mapping[str, object] = verdict(statistics, config)
    write_json(out / STATISTICS, {**statistics, "gate": judged})
    for warning in judged["warnings"]:  # type: ignore[attr-defined]
        logger.warning(warning)
    if not judged["passed"]:
        raise GateError(str(judged["message"]))


def _count(k: int, config: LabelConfig, item: FrameInput) -> FrameCount:
    class_map, instances = item.read(k)
    facts = repr([(o.id, o.score, o.track_id, o.centroid_m, o.transform.tolist()) for o in item.frame.objects])
    digest = hashlib.sha256(class_map.tobytes() + instances.tobytes() + facts.encode())
    digest.update(f"{item.motion.name}/{item.frame.key}/{item.scale}".encode())
    cleared = clear_border(instances, config.border)
    objects = describe_objects(count_votes(class_map, cleared, k), cleared, item.frame.objects, item.scale)
    lowest = min([1.0, *(o.score for o in item.frame.objects)])
    return FrameCount(count_frame(class_map, cleared, k, config), objects, digest.digest(), lowest)


def _sight(rules: Rules, item: FrameInput) -> Sight | None:
    return sight_of(item.recording, item.frame.key) if rules.config.trim or rules.standing is not None else None


def _keep_only_labels_of(out: Path, digest: str) -> None:
    """Finished frames are kept where they were made from the same input; labels of another input are removed."""
    basis = out / "basis.json"
    if read_object(basis) == {"sha256": digest}:
        return
    basis.unlink(missing_ok=True)
    for path in (
        *out.glob("*/*_class.png"),
        *out.glob("*/*_instance.png"),
        *out.glob(f"*/{LABELS}"),
        *out.glob("*/overlays/*.jpg"),
    ):
        path.unlink()
    write_json(basis, {"sha256": digest})


def _label_all(
    inputs: list[FrameInput], recordings: Sequence[Recording], out: Path, rules: Rules, workers: int
) -> tuple[list[LabelledFrame], LabelArea]:
    """Label every frame, then write each recording's pictures and labels.json; all frames in order, and what they
    hold."""
    area = LabelArea.nothing(len(rules.classes))
    labelled: dict[str, list[LabelledFrame]] = {r.name: [] for r in recordings}
    for frame, measured in progress(map_frames(partial(_label, out, rules), inputs, workers), "labels", len(inputs)):
        labelled[frame.folder.name].append(frame)
        area += measured
    for recording in recordings:
        write_pictures(recording, out / recording.name, labelled[recording.name], rules.classes)
        write_labels(out / recording.name, recording.name, labelled[recording.name])
    return [frame for frames in labelled.values() for frame in frames], area


def _label(out: Path, rules: Rules, item: FrameInput) -> tuple[LabelledFrame, LabelArea]:
    """Label one frame and measure it from its files; those of a finished frame are left as they are, damaged ones are
    written again."""
    frame, folder = item.frame, out / item.motion.name
    class_map, instances = item.read(rules.clusters)
    label = label_maps(class_map, instances, frame.objects, rules, item.scale, _sight(rules, item))
    if not holds(folder, frame.key, label.class_map, label.instances):
        write_maps(folder, frame.key, label.class_map, label.instances)
    moves = {row.id for row in label.rows} & {o.id for o in frame.objects}
    absence = None if moves else frame.absence or AT_BORDER
    reason = absence.detail if absence and not label.rows else None
    labelled = LabelledFrame(folder, frame.key, frame.stamp_ns, label.rows, reason, checksum(folder, frame.key))
    return labelled, measure_frame(len(rules.classes), labelled, absence)
