"""Panoptic quality over a data set, from the sparse tables of its images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cups_train.evaluation.metrics.cooccurrence import VOID_SEGMENT, ImageTable
from cups_train.evaluation.protocols import VoidRule


@dataclass
class ClassQuality:
    """Sums of one class over all images."""

    iou: float = 0.0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def occurs(self) -> bool:
        return self.tp + self.fp + self.fn > 0

    @property
    def sq(self) -> float:
        return self.iou / self.tp if self.tp else 0.0

    @property
    def rq(self) -> float:
        return self.tp / (self.tp + self.fp / 2 + self.fn / 2) if self.occurs else 0.0

    @property
    def pq(self) -> float:
        return self.iou / (self.tp + self.fp / 2 + self.fn / 2) if self.occurs else 0.0


@dataclass(frozen=True)
class _Merged:
    """One image after its pseudo classes were replaced: merged segments, numbered from 1 on, 0 = void."""

    classes: Mapping[int, int]  # merged segment -> class
    shared: Mapping[tuple[int, int], int]  # (merged segment, true segment) -> pixels
    predicted_area: Mapping[int, int]
    true_area: Mapping[int, int]


def panoptic_quality(
    tables: Iterable[ImageTable],
    assignment: Mapping[int, int | None] | None,
    is_thing: Callable[[int], bool],
    void: VoidRule,
) -> dict[int, ClassQuality]:
    """True class -> its sums. `assignment` None: ids are compared as they are, and no segments are merged.

    A predicted and a true segment of one class match where IoU > 0.5 (at most one can). True void leaves the union;
    predictions for more than half on true void or the class's crowd are not counted. Rule `published` (torchmetrics):
    predicted void leaves the union too, and a true segment for more than half under it is not missed.
    """
    quality: dict[int, ClassQuality] = defaultdict(ClassQuality)
    for table in tables:
        _add_image(quality, table, _merge(table, assignment, is_thing), void)
    return {c: q for c, q in sorted(quality.items()) if q.occurs}


def _merge(table: ImageTable, assignment: Mapping[int, int | None] | None, is_thing: Callable[[int], bool]) -> _Merged:
    """Give every predicted segment its class; those of one stuff class become one, those without a class void."""
    number = {VOID_SEGMENT: 0}
    classes: dict[int, int] = {}
    stuff: dict[int, int] = {}
    for segment, entry in table.predicted_segments.items():
        c = entry.category_id if assignment is None else assignment.get(entry.category_id)
        if c is None:
            number[segment] = 0
        elif assignment is not None and not is_thing(c):
            number[segment] = stuff.setdefault(c, len(classes) + 1)
            classes[number[segment]] = c
        else:
            number[segment] = len(classes) + 1
            classes[number[segment]] = c
    shared: dict[tuple[int, int], int] = defaultdict(int)
    predicted_area: dict[int, int] = defaultdict(int)
    true_area: dict[int, int] = defaultdict(int)
    for predicted, true, pixels in table.rows():
        shared[number[predicted], true] += pixels
        predicted_area[number[predicted]] += pixels
        true_area[true] += pixels
    return _Merged(classes, dict(shared), dict(predicted_area), dict(true_area))


def _add_image(quality: dict[int, ClassQuality], table: ImageTable, merged: _Merged, void: VoidRule) -> None:
    matched = _matches(table, merged, void)
    for (predicted, _), iou in matched.items():
        quality[merged.classes[predicted]].iou += iou
        quality[merged.classes[predicted]].tp += 1
    found = {true for _, true in matched}
    crowd: dict[int, int] = {}  # of several crowd segments of a class the last one counts, as in panopticapi
    for true, entry in table.true_segments.items():
        area = merged.true_area.get(true, 0)
        if area == 0 or true in found:
            continue
        if entry.iscrowd:
            crowd[entry.category_id] = true
        elif void == "official" or 2 * merged.shared.get((0, true), 0) <= area:
            quality[entry.category_id].fn += 1
    used = {predicted for predicted, _ in matched}
    for predicted, c in merged.classes.items():
        area = merged.predicted_area.get(predicted, 0)
        if area == 0 or predicted in used:
            continue
        excused = merged.shared.get((predicted, VOID_SEGMENT), 0) + (
            merged.shared.get((predicted, crowd[c]), 0) if c in crowd else 0
        )
        if 2 * excused <= area:
            quality[c].fp += 1


def _matches(table: ImageTable, merged: _Merged, void: VoidRule) -> dict[tuple[int, int], float]:
    """(merged segment, true segment) -> IoU, of the pairs that match."""
    matches = {}
    for (predicted, true), pixels in merged.shared.items():
        if predicted == 0 or true == VOID_SEGMENT:
            continue
        entry = table.true_segments[true]
        if entry.iscrowd or entry.category_id != merged.classes[predicted]:
            continue
        union = (
            merged.predicted_area[predicted]
            + merged.true_area[true]
            - pixels
            - merged.shared.get((predicted, VOID_SEGMENT), 0)
        )
        if void == "published":
            union -= merged.shared.get((0, true), 0)
        if 2 * pixels > union:
            matches[predicted, true] = pixels / union
    return matches
