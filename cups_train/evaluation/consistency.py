"""How well labels agree with themselves, without truth: the left with the right image through disparity, t with t+1
through optical flow.

Label maps are fetched along the measured correspondence and compared as a prediction is with its truth: panoptic
quality, and the share of pixels with one class. Points are followed for longer, too: how many keep their class. What
the matcher cannot vouch for is void. A label that flickers or hangs at the image's frame agrees with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.fusion import panoptic_from_maps
from cups_ros.types import MAX_CLASSES, Classes
from cups_train.evaluation.metrics.cooccurrence import ImageTable, count_pairs
from cups_train.evaluation.metrics.panoptic_quality import ClassQuality, panoptic_quality
from cups_train.files import read_image
from cups_train.flow.dis import optical_flow
from cups_train.flow.sgm import disparity
from cups_train.folders import stages
from cups_train.folders.labels import known_instances, read_class_of, read_joining, read_labels
from cups_train.folders.result_index import SegmentEntry
from cups_train.folders.semantics import class_map_path
from cups_train.geometry.warp import warp
from cups_train.parallel import map_frames
from cups_train.picks import evenly_spaced
from cups_train.progress import progress
from cups_train.pseudo_label.sameness import steadiness
from cups_train.pseudo_label.sameness.frames import RecordingMaps, evidence_of
from cups_train.recording import Recording
from cups_train.types import StereoCamera, StereoFrame

FRAMES = 16  # of all recordings together
FRAMES_A_WORKER = 8  # fewer are done before a process has started
INSTANCE = 1000  # segment ids of instances begin here; below are classes

Maps = tuple[np.ndarray, np.ndarray]  # (H, W) class ids and (H, W) instance ids, 0 = void or none
# image, its disparity (NaN: unknown), camera -> class ids
ClassifyRight = Callable[[np.ndarray, np.ndarray, StereoCamera], np.ndarray]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two label maps of one image."""

    table: ImageTable
    same: int  # pixels with the same class
    compared: int  # pixels that both maps know and the matcher vouches for
    pixels: int


@dataclass(frozen=True)
class FollowedFrame:
    """A frame of a recording and the one after it."""

    recording: Recording
    key: str
    next_key: str


def measure(
    recordings: Sequence[Recording], run: Path, classes: Classes, load: Callable[[], ClassifyRight] | None, workers: int
) -> dict[str, Any]:
    """Figures for a few frames of all recordings of a labelled run. `load` gives the run's classifier and must pickle;
    None: the labels came from elsewhere, so that the right images have no classes.
    """
    every = [
        FollowedFrame(r, s.key, r.stamps[i + 1].key) for r in recordings for i, s in enumerate(r.stamps) if s.follows
    ]
    chosen = [every[i] for i in evenly_spaced(len(every), FRAMES)]
    work = map_frames(partial(_frame, run, classes, load), chosen, min(workers, 1 + len(chosen) // FRAMES_A_WORKER))
    both = list(progress(work, "consistency", len(chosen)))
    return {
        "frames": len(chosen),
        "left_right": summarise([a for a, _ in both if a is not None], classes),
        "next": summarise([b for _, b in both], classes),
        "kept": [] if load is None else _kept(recordings, run, workers),
    }


def summarise(comparisons: Sequence[Comparison], classes: Classes) -> dict[str, float | None]:
    """Means over the classes that occur, and shares of pixels; None where nothing could be compared."""
    quality = panoptic_quality([c.table for c in comparisons], None, classes.is_thing, "official")
    compared, pixels = sum(c.compared for c in comparisons), sum(c.pixels for c in comparisons)
    if not compared:
        return dict.fromkeys(("pq", "sq", "rq", "pq_things", "pq_stuff", "same_class", "compared"))
    return {
        **_means(list(quality.values())),
        "pq_things": _means([q for c, q in quality.items() if classes.is_thing(c)])["pq"],
        "pq_stuff": _means([q for c, q in quality.items() if not classes.is_thing(c)])["pq"],
        "same_class": sum(c.same for c in comparisons) / compared,
        "compared": compared / pixels,
    }


def compare(here: Maps, fetched: Maps, vouched: np.ndarray) -> Comparison:
    """Label maps of one image, and the same fetched from another image; (H, W) bool, True where the correspondence
    holds."""
    ids = [
        np.where(vouched, np.where(instance_id > 0, instance_id.astype(np.int64) + INSTANCE, class_id), 0)
        for class_id, instance_id in (here, fetched)
    ]
    segments = [_segments(maps, own) for maps, own in zip((here, fetched), ids, strict=True)]
    known = (ids[0] > 0) & (ids[1] > 0)
    table = ImageTable((0, ""), *count_pairs(ids[1], ids[0]), segments[1], segments[0])
    return Comparison(
        table, int(np.count_nonzero(known & (here[0] == fetched[0]))), int(np.count_nonzero(known)), vouched.size
    )


def render(figures: Mapping[str, Any]) -> str:
    """The figures, a line each."""
    lines = []
    for name, title in (
        ("left_right", "left image and right image through disparity"),
        ("next", "t and t+1 through optical flow"),
    ):
        row = figures[name]
        text = "nothing to compare"
        if row["pq"] is not None:
            text = (
                f"PQ {100 * row['pq']:.1f}, one class on {100 * row['same_class']:.1f} % of the "
                f"{100 * row['compared']:.0f} % of pixels that can "
                f"be compared, {figures['frames']} frames"
            )
        lines.append(f"{title}: {text}")
    if figures["kept"]:
        shares = ", ".join(
            f"{r['frames']}: {100 * r['after']:.1f} % (before joining {100 * r['before']:.1f} %)"
            for r in figures["kept"]
        )
        lines.append(f"tracked points that keep their class, by frames: {shares}")
    return "\n".join(lines)


def _kept(recordings: Sequence[Recording], run: Path, workers: int) -> list[dict[str, Any]]:
    """How steady classes are over 1, 4 and 8 frames: as found when clusters were joined, or from a sample of the same
    size."""
    joining = read_joining(run / stages.LABELS)
    if "kept" in joining or not joining["class_of"]:
        return list(joining.get("kept", []))
    sources = [RecordingMaps(r, run / stages.MOTION / r.name, run / stages.SEMANTICS / r.name) for r in recordings]
    return steadiness(evidence_of(sources, len(joining["class_of"]), workers), np.array(joining["class_of"]))


def _frame(
    run: Path, classes: Classes, load: Callable[[], ClassifyRight] | None, chosen: FollowedFrame
) -> tuple[Comparison | None, Comparison]:
    """One frame against its right image (classes alone), and against the next left one (label with instances)."""
    recording, key = chosen.recording, chosen.key
    frame, labels = recording.stereo(key), {f.key: f for f in read_labels(run / stages.LABELS / recording.name)}
    flow, flow_ok = optical_flow(frame.left, recording.left(chosen.next_key))
    now, then = (
        panoptic_from_maps(*labels[k].maps(), known_instances(labels[k].instances), classes)
        for k in (key, chosen.next_key)
    )
    class_id, inside = warp(then.class_id, flow, nearest=True)
    instance_id, _ = warp(then.instance_id, flow, nearest=True)
    over_time = compare((now.class_id, now.instance_id), (class_id, instance_id), flow_ok & inside)
    if load is None:
        return None, over_time
    class_of = np.array([0, *(read_class_of(run / stages.LABELS) or range(1, MAX_CLASSES + 1))], np.uint8)
    return _left_right(frame, class_map_path(run / stages.SEMANTICS / recording.name, key), load(), class_of), over_time


def _left_right(frame: StereoFrame, left_clusters: Path, classify: ClassifyRight, class_of: np.ndarray) -> Comparison:
    """Classes of the left image, as stored, against those of the right one fetched through the disparity. class_of: (K
    + 1,) of clusters."""
    found, ok = disparity(frame.left, frame.right)
    right, right_ok = disparity(frame.right[:, ::-1], frame.left[:, ::-1])
    seen = classify(frame.right, np.where(right_ok, right, np.nan)[:, ::-1].astype(np.float32), frame.camera)
    fetched, inside = warp(class_of[seen], np.stack([-found, np.zeros_like(found)], -1), nearest=True)
    own = class_of[read_image(left_clusters)]
    nothing = np.zeros(own.shape, np.uint16)
    return compare((own, nothing), (fetched, nothing), ok & inside)


def _segments(maps: Maps, ids: np.ndarray) -> dict[int, SegmentEntry]:
    """The segments of an (H, W) map of segment ids, 0 = void."""
    class_id, instance_id = maps
    return {
        i: SegmentEntry(i if i < INSTANCE else int(class_id[instance_id == i - INSTANCE][0]), False, None)
        for i in np.unique(ids[ids > 0]).tolist()
    }


def _means(qualities: Sequence[ClassQuality]) -> dict[str, float | None]:
    count = len(qualities)
    return {name: sum(getattr(q, name) for q in qualities) / count if count else None for name in ("pq", "sq", "rq")}
