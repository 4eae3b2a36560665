"""Class-agnostic mask AP of things by COCO's rules, from the sparse tables of the images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cups_train.evaluation.metrics.cooccurrence import ImageTable

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100  # an image


@dataclass(frozen=True, eq=False)
class _Detections:
    """Detections of one image in descending score."""

    scores: np.ndarray  # (D,)
    hit: np.ndarray  # (10, D) bool, matched at the threshold
    ignored: np.ndarray  # (10, D) bool, matched to a crowd
    truths: int  # true things that are no crowd


@dataclass(frozen=True)
class _Overlap:
    """A true segment that a detection touches."""

    true: int
    crowd: bool
    iou: float  # with a crowd: the share of the detection inside it


def average_precision(
    tables: Iterable[ImageTable], predicted_thing: Callable[[int], bool], true_thing: Callable[[int], bool]
) -> tuple[float, float] | None:
    """(AP at IoU 0.50:0.95, AP at 0.50) of all things as one class; None where the truth has no thing.

    COCO mask AP, all areas, at most 100 detections an image. Crowd is matched by the share of the detection inside it
    and ignored. A detection without a score ranks last.
    """
    images = [_match_image(t, predicted_thing, true_thing) for t in tables]
    truths = sum(i.truths for i in images)
    if truths == 0:
        return None
    order = np.argsort(-np.concatenate([i.scores for i in images]), kind="stable")
    hit = np.concatenate([i.hit for i in images], axis=1)[:, order]
    ignored = np.concatenate([i.ignored for i in images], axis=1)[:, order]
    values = [_area_under_curve(h[~g], truths) for h, g in zip(hit, ignored, strict=True)]
    return float(np.mean(values)), values[0]


def _area_under_curve(hit: np.ndarray, truths: int) -> float:
    """(D,) bool in descending score -> mean over 101 recalls of the best precision at that recall or above."""
    if not hit.size:
        return 0.0
    found = np.cumsum(hit)
    precision = np.maximum.accumulate((found / np.arange(1, hit.size + 1))[::-1])[::-1]
    places = np.searchsorted(found / truths, RECALLS, side="left")
    return float(np.append(precision, 0.0)[places].mean())


def _match_image(
    table: ImageTable, predicted_thing: Callable[[int], bool], true_thing: Callable[[int], bool]
) -> _Detections:
    area: dict[int, int] = defaultdict(int)
    true_area: dict[int, int] = defaultdict(int)
    shared: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for predicted, true, pixels in table.rows():
        area[predicted] += pixels
        true_area[true] += pixels
        shared[predicted].append((true, pixels))
    truths = [i for i, s in table.true_segments.items() if true_thing(s.category_id) and true_area.get(i)]
    rank = {i: (table.true_segments[i].iscrowd, place) for place, i in enumerate(truths)}
    found = [
        (s.score or 0.0, i)
        for i, s in table.predicted_segments.items()
        if predicted_thing(s.category_id) and area.get(i)
    ]
    found = sorted(found, key=lambda pair: -pair[0])[:MOST_DETECTIONS]
    candidates = []
    for _, i in found:
        overlaps = sorted((rank[true], true, pixels) for true, pixels in shared[i] if true in rank)
        candidates.append(
            [
                _Overlap(true, crowd, pixels / (area[i] if crowd else area[i] + true_area[true] - pixels))
                for (crowd, _), true, pixels in overlaps
            ]
        )
    hit, ignored = np.zeros((2, len(IOU_THRESHOLDS), len(found)), bool)
    for t, threshold in enumerate(IOU_THRESHOLDS):
        hit[t], ignored[t] = _match_at(candidates, float(threshold))
    return _Detections(
        np.array([score for score, _ in found]), hit, ignored, sum(not table.true_segments[i].iscrowd for i in truths)
    )


def _match_at(candidates: list[list[_Overlap]], threshold: float) -> tuple[list[bool], list[bool]]:
    """Overlaps of each detection, crowd last -> (matched, matched to crowd): the best free truth, a crowd only where no
    other fits."""
    taken: set[int] = set()
    hit, ignored = [], []
    for overlaps in candidates:
        best: _Overlap | None = None
        for overlap in overlaps:
            if (overlap.true in taken and not overlap.crowd) or overlap.iou < (threshold if best is None else best.iou):
                continue
            if best is not None and not best.crowd and overlap.crowd:
                break
            best = overlap
        hit.append(best is not None)
        ignored.append(best is not None and best.crowd)
        if best is not None:
            taken.add(best.true)
    return hit, ignored
