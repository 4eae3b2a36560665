"""What the finished labels hold, and whether they are worth training on."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.types import Classes
from cups_train.config import LabelConfig
from cups_train.errors import GateError
from cups_train.files import read_json
from cups_train.folders.labels import LabelledFrame, read_labels
from cups_train.folders.layout import LABELS, STATISTICS
from cups_train.pseudo_label.counts import Counts
from cups_train.pseudo_label.reasons import advice, in_words, sum_up
from cups_train.pseudo_label.split import Split
from cups_train.types import Absence, Reason

BOTTOM = 0.05  # rows in which the bonnet of the own car would show, share of the height
ALIVE = 0.005  # share of the pixels from which a class counts as used
FEWEST_ALIVE = 5


@dataclass(frozen=True, eq=False)
class LabelArea:
    """Sums over finished label files."""

    area: np.ndarray  # (K + 1,) int64 pixels by class, 0 = void
    in_instances: np.ndarray  # (K + 1,) int64 pixels inside instances
    instances: np.ndarray  # (K + 1,) int64 instances by class
    bottom: int  # pixels of instances in the lowest rows
    empty: Counter[Reason]  # frames without an instance

    def __add__(self, other: LabelArea) -> LabelArea:
        return LabelArea(self.area + other.area, self.in_instances + other.in_instances, self.instances + other.instances,
                         self.bottom + other.bottom, self.empty + other.empty)

    @classmethod
    def nothing(cls, k: int) -> LabelArea:
        zero = np.zeros(k + 1, np.int64)
        return cls(zero, zero, zero, 0, Counter())


def measure_frame(k: int, frame: LabelledFrame, absence: Absence | None) -> LabelArea:
    """Read one finished label. `absence`: why it has no instance."""
    class_map, instances = frame.maps()
    kinds = np.array([i.class_id for i in frame.instances], np.int64)
    rows = round(BOTTOM * class_map.shape[0])
    return LabelArea(np.bincount(class_map.ravel(), minlength=k + 1), np.bincount(class_map[instances > 0], minlength=k + 1),
                     np.bincount(kinds, minlength=k + 1), int(np.count_nonzero(instances[-rows:])) if rows else 0,
                     Counter() if absence is None else Counter([absence.reason]))


def statistics(frames: Sequence[LabelledFrame], area: LabelArea, counts: Counts, split: Split, classes: Classes) -> dict[str, Any]:
    """statistics.json, without the verdict of the gate: from finished labels alone, so the same after any stop and with any number of workers."""
    total = max(int(area.area.sum()), 1)
    moving = [sum(classes.is_thing(i.class_id) for i in f.instances if i.class_id) for f in frames]
    things = area.area[list(classes.things)].sum() if classes.things else 0
    known = area.in_instances[list(classes.things)].sum() if classes.things else 0
    return {
        "frames": len(frames), "frames_with_objects": counts.moving_frames, "frames_with_instances": sum(n > 0 for n in moving),
        "objects": counts.instances, "instances": int(sum(moving)), "instances_per_frame": sum(moving) / max(len(frames), 1),
        "void_share": float(area.area[0]) / total, "thing_share": float(things) / total,
        "thing_pixels_in_instances": float(known) / max(float(things), 1.0),
        "bottom_share": area.bottom / max(int(area.in_instances.sum()), 1),
        "n_in": counts.n_in[1:].tolist(), "n_all": counts.n_all[1:].tolist(), "n_mask": counts.n_mask[1:].tolist(),
        "split": split.to_json(), "reasons": sum_up(area.empty),
        "classes": [{"id": c.id, "name": c.name, "isthing": int(c.isthing), "area_share": float(area.area[c.id]) / total,
                     "instances": int(area.instances[c.id])} for c in classes]}


def gate(statistics: dict[str, Any], config: LabelConfig) -> None:
    """Judge all recordings together. Raises GateError with what was expected, what was found, and what mends it."""
    frames, moving, reasons = statistics["frames"], statistics["frames_with_objects"], statistics.get("reasons", [])
    if frames == 0 or moving < config.min_moving_frames * frames:
        raise GateError(f"expected moving objects in at least {config.min_moving_frames:.0%} of the frames, found them in {moving} of {frames}; "
                        f"{advice(reasons)} ({in_words(reasons) + '; ' if reasons else ''}or lower labels.min_moving_frames)")
    shares = {c["name"]: c["area_share"] for c in statistics["classes"]}
    largest = max(shares, key=lambda name: shares[name])
    if shares[largest] > config.max_class_share:
        raise GateError(f"expected no class above {config.max_class_share:.0%} of all pixels, found {largest} with {shares[largest]:.0%}; "
                        f"raise semantics.steps or semantics.classes, or record more varied places (or raise labels.max_class_share)")
    alive, wanted = sum(s >= ALIVE for s in shares.values()), min(FEWEST_ALIVE, len(shares))
    if alive < wanted:
        raise GateError(f"expected at least {wanted} classes with {ALIVE:.1%} of the pixels or more, found {alive} of {len(shares)}; "
                        f"raise semantics.steps or record more varied places")
    if not statistics["split"]["things"]:
        raise GateError(f"expected at least one class that moving objects are made of, found none in {statistics['objects']} objects "
                        f"of {frames} frames; record more moving cars and people, lower labels.min_instances, or name the classes in labels.things")
    if statistics["instances"] == 0:
        raise GateError(f"expected labels of moving things, found none among {statistics['objects']} objects; lower labels.thing_vote")


def verdict(statistics: dict[str, Any], config: LabelConfig) -> dict[str, Any]:
    """The gate's entry of statistics.json: passed, message, and warnings that stop nothing."""
    try:
        gate(statistics, config)
    except GateError as error:
        return {"passed": False, "message": str(error), "warnings": warnings(statistics)}
    return {"passed": True, "message": None, "warnings": warnings(statistics)}


def warnings(statistics: dict[str, Any]) -> list[str]:
    """What a person should look at, one sentence each."""
    found = []
    split, k = statistics["split"], len(statistics["classes"])
    if split["note"]:
        found.append(f"thing/stuff split: {split['note']}")
    if len(split["things"]) > k / 3:
        found.append(f"{len(split['things'])} of {k} classes are things; raise labels.psi where stuff is among them")
    if statistics["bottom_share"] > 0.2:
        found.append(f"{statistics['bottom_share']:.0%} of the object pixels lie at the lower edge; the own car may show in the picture")
    return found


def check(labels: Path, config: LabelConfig) -> str:
    """The quality gate on a finished label folder, as text. Raises GateError where it does not pass, ResultError where a label file changed since."""
    found = read_json(labels / STATISTICS)
    for path in sorted(labels.glob(f"*/{LABELS}")):
        for frame in read_labels(path.parent):
            frame.verify()
    gate(found, config)
    return summary(found)


def summary(statistics: dict[str, Any]) -> str:
    """The figures of the labels in a few lines."""
    split, things = statistics["split"], [c for c in statistics["classes"] if c["isthing"]]
    lines = [f"frames {statistics['frames']}, with moving objects {statistics['frames_with_objects']}, with labelled instances "
             f"{statistics['frames_with_instances']}; instances {statistics['instances']} ({statistics['instances_per_frame']:.1f} a frame)",
             f"classes {len(statistics['classes'])}, things {len(split['things'])} by rule {split['rule']}: "
             f"{', '.join(c['name'] for c in things) or 'none'}",
             f"void {statistics['void_share']:.1%} of the pixels, things {statistics['thing_share']:.1%}, of these in an instance "
             f"{statistics['thing_pixels_in_instances']:.1%}"]
    if statistics.get("reasons"):
        lines.append(f"without moving objects: {in_words(statistics['reasons'])}")
    return "\n".join([*lines, *(f"look at: {w}" for w in warnings(statistics)), "the labels pass the quality gate"])
