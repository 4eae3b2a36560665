"""The baseline that everything is measured against: k-means on colour and position, connected components as instances.

Clusters are learned on cells of 4 x 4 px of all recordings. Where stage 1a's motion folders are given, stage 1c's own
rule tells which clusters are things; without them every cluster is stuff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cups_ros.boxes import box_of
from cups_ros.colors import overlay, palette
from cups_ros.types import Classes, Panoptic, PseudoClass, Segment
from cups_train.config import Config, LabelConfig
from cups_train.errors import ModelError
from cups_train.files import read_json, write_image, write_json
from cups_train.folders.layout import overlay_path
from cups_train.folders.motion import read_instances
from cups_train.folders.results import ResultWriter
from cups_train.output import replacing
from cups_train.picks import evenly_spaced, shown
from cups_train.progress import progress
from cups_train.pseudo_label.border import clear_border
from cups_train.pseudo_label.motion_counts import MotionCounts, count_frame
from cups_train.pseudo_label.split import find_split
from cups_train.recording.recording import Recording
from cups_train.semantics.channels import CELL
from cups_train.semantics.clusters import Clusters, Scaler, kmeans
from cups_train.types import ChannelGroup

GROUPS = (ChannelGroup("colour", 3, 1.0), ChannelGroup("position", 2, 1.0))
FRAMES = 600
SAMPLES = 60_000
SMALLEST = 0.0005  # instance, share of the image


@dataclass(frozen=True)
class Learning:
    """What the baseline is learned on."""

    recordings: Sequence[Recording]
    classes: int  # as many as the run shows
    motion: Path | None = None  # MOTION/NAME/instances of the recordings


def write_baseline(learning: Learning, recordings: Sequence[Recording], out: Path, config: Config) -> list[Path]:
    """Learn, and label `recordings`; gives the result folders, OUT itself for one recording."""
    learned_on, count, motion = learning.recordings, learning.classes, learning.motion
    model = kmeans_colour_position(learned_on, out / "kmeans.json", count, config.seed)
    classes = make_classes(
        count, moving_clusters(learned_on, model, motion, config.labels) if motion is not None else frozenset()
    )
    return [
        apply(model, classes, recording, out if len(recordings) == 1 else out / recording.name)
        for recording in recordings
    ]


def kmeans_colour_position(recordings: Sequence[Recording], out_model: Path, count: int, seed: int) -> Clusters:
    """k-means with K = `count` on Lab and position; written to OUT_MODEL (JSON)."""
    rng = np.random.default_rng([seed, 4])
    every = [(r, s.key) for r in recordings for s in r.stamps]
    picked = evenly_spaced(len(every), FRAMES)
    rows = []
    for i in progress(picked, "sample colours", len(picked)):
        cells = colour_position(every[i][0].left(every[i][1])).reshape(5, -1)
        rows.append(cells[:, rng.permutation(cells.shape[1])[: max(1, SAMPLES // len(picked))]].T)
    samples = np.concatenate(rows)
    scaler = Scaler.fit(samples, GROUPS)
    clusters = Clusters(scaler, kmeans(scaler(samples), count, rng)[0])
    arrays = {"centres": clusters.centres, "mean": scaler.mean, "scale": scaler.scale}
    write_json(out_model, {"format": 1, **{name: array.tolist() for name, array in arrays.items()}})
    return clusters


def load(path: Path) -> Clusters:
    """Read what `kmeans_colour_position` wrote. Raises CupsError."""
    card = read_json(path)
    try:
        mean, scale, centres = (np.asarray(card[name], np.float32) for name in ("mean", "scale", "centres"))
        return Clusters(Scaler(mean, scale), centres)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"expected k-means clusters in {path}, found {error}; delete it and make it again") from error


def colour_position(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (5, H/4, W/4) float32: Lab, column and row from 0 to 1."""
    height, width = max(1, image.shape[0] // CELL), max(1, image.shape[1] // CELL)
    lab = cv2.cvtColor(
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255, cv2.COLOR_RGB2LAB
    )
    y, x = np.meshgrid(
        np.linspace(0, 1, height, dtype=np.float32), np.linspace(0, 1, width, dtype=np.float32), indexing="ij"
    )
    return np.stack([*np.moveaxis(lab, -1, 0), x, y])


def classify(model: Clusters, image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8 class ids 1..K."""
    ids = model.nearest(colour_position(image)).astype(np.uint8) + 1
    return cv2.resize(ids, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def moving_clusters(
    recordings: Sequence[Recording], model: Clusters, motion: Path, config: LabelConfig
) -> frozenset[int]:
    """Ids of the clusters that are things by the rule of stage 1c; labels.things names classes of the run, not
    clusters."""
    k = len(model.centres)
    counts = MotionCounts.nothing(k)
    for recording in recordings:
        for stamp in recording.stamps:
            instances = clear_border(read_instances(motion / recording.name, stamp.key), config.border)
            counts += count_frame(classify(model, recording.left(stamp.key)), instances, k, config)
    return frozenset(find_split(counts, config.model_copy(update={"things": ()})).things)


def make_classes(count: int, things: frozenset[int]) -> Classes:
    colours = palette(count)
    return Classes(tuple(PseudoClass(k, f"cluster {k}", k in things, colours[k - 1]) for k in range(1, count + 1)))


def apply(model: Clusters, classes: Classes, recording: Recording, out: Path) -> Path:
    """Write a result folder: one segment a stuff cluster, one a connected component of a thing cluster; and
    OUT/overlays of a few frames."""
    pictures, frames = shown(len(recording.stamps)), recording.frames()
    with replacing(out, "k-means") as new:
        writer = ResultWriter(new, classes, {"kind": "baseline", "method": "k-means on colour and position"})
        for number, frame in enumerate(progress(frames, f"k-means {recording.name}", len(recording.stamps))):
            answer = panoptic(classify(model, frame.left), classes)
            writer.write(frame.key, frame.stamp_ns, answer)
            if number in pictures:
                write_image(overlay_path(new, frame.key), overlay(frame.left, answer, classes))
        writer.close()
    return out


def panoptic(class_id: np.ndarray, classes: Classes) -> Panoptic:
    """(H, W) uint8 ids -> segments; components below SMALLEST of the image are void."""
    class_id, instance_id = class_id.copy(), np.zeros(class_id.shape, np.uint16)
    segments: list[Segment] = []
    number = 0
    for k in np.unique(class_id).tolist():
        mask = class_id == k
        if not classes.is_thing(k):
            segments.append(_segment(k, 0, mask))
            continue
        count, components = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        for component in range(1, count):
            part = components == component
            if part.sum() < SMALLEST * part.size:
                class_id[part] = 0
                continue
            number += 1
            instance_id[part] = number
            segments.append(_segment(k, number, part))
    return Panoptic(class_id, instance_id, tuple(segments))


def _segment(class_id: int, instance_id: int, mask: np.ndarray) -> Segment:
    return Segment(class_id, instance_id, instance_id > 0, 1.0, int(mask.sum()), box_of(mask))
