"""What the finished labels hold: from label files alone, so the same after any stop and with any number of workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cups_train.folders.labels import LabelledFrame
from cups_train.pseudo_label.label import Rules
from cups_train.pseudo_label.motion_counts import MotionCounts
from cups_train.pseudo_label.reasons import sum_up
from cups_train.pseudo_label.split import Split
from cups_train.types import Absence, Reason

BOTTOM = 0.05  # rows in which the bonnet of the own car would show, share of the height


@dataclass(frozen=True, eq=False)
class LabelArea:
    """Sums over finished label files."""

    area: np.ndarray  # (K + 1,) int64 pixels by class, 0 = void
    in_instances: np.ndarray  # (K + 1,) int64 pixels inside instances
    instances: np.ndarray  # (K + 1,) int64 instances by class
    bottom: int  # pixels of instances in the lowest rows
    empty: Counter[Reason]  # frames without an instance

    def __add__(self, other: LabelArea) -> LabelArea:
        return LabelArea(
            self.area + other.area,
            self.in_instances + other.in_instances,
            self.instances + other.instances,
            self.bottom + other.bottom,
            self.empty + other.empty,
        )

    @classmethod
    def nothing(cls, k: int) -> LabelArea:
        """Of no frame."""
        zero = np.zeros(k + 1, np.int64)
        return cls(zero, zero, zero, 0, Counter())


def measure_frame(k: int, frame: LabelledFrame, absence: Absence | None) -> LabelArea:
    """Read one finished label of `k` classes. absence: why it has no instance."""
    class_map, instances = frame.maps()
    named = np.array([i.class_id for i in frame.instances], np.int64)
    rows = round(BOTTOM * class_map.shape[0])
    return LabelArea(
        np.bincount(class_map.ravel(), minlength=k + 1),
        np.bincount(class_map[instances > 0], minlength=k + 1),
        np.bincount(named, minlength=k + 1),
        int(np.count_nonzero(instances[-rows:])) if rows else 0,
        Counter() if absence is None else Counter([absence.reason]),
    )


@dataclass(frozen=True, eq=False)
class Findings:
    """What is known once all frames are labelled."""

    frames: Sequence[LabelledFrame]
    area: LabelArea
    counts: MotionCounts
    split: Split  # of the clusters
    rules: Rules


def label_statistics(found: Findings) -> dict[str, Any]:
    """statistics.json, without the verdict of the gate."""
    frames, area, counts, classes = found.frames, found.area, found.counts, found.rules.classes.learned()
    total = max(int(area.area.sum()), 1)
    moving = [sum(classes.is_thing(i.class_id) for i in f.instances if i.class_id) for f in frames]
    things = area.area[list(classes.things)].sum() if classes.things else 0
    known = area.in_instances[list(classes.things)].sum() if classes.things else 0
    return {
        "frames": len(frames),
        "frames_with_objects": counts.moving_frames,
        "frames_with_instances": sum(n > 0 for n in moving),
        "objects": counts.instances,
        "instances": int(sum(moving)),
        "instances_per_frame": sum(moving) / max(len(frames), 1),
        "void_share": float(area.area[0]) / total,
        "thing_share": float(things) / total,
        "thing_pixels_in_instances": float(known) / max(float(things), 1.0),
        "bottom_share": area.bottom / max(int(area.in_instances.sum()), 1),
        "n_in": counts.n_in[1:].tolist(),
        "n_all": counts.n_all[1:].tolist(),
        "n_mask": counts.n_mask[1:].tolist(),
        "split": found.split.to_json(),
        "class_of": list(found.rules.class_of),
        "reasons": sum_up(area.empty),
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "isthing": int(c.isthing),
                "area_share": float(area.area[c.id]) / total,
                "instances": int(area.instances[c.id]),
            }
            for c in classes
        ],
    }
