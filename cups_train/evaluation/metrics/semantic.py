"""Pixel accuracy and mean IoU of class maps, from pixel counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from cups_train.evaluation.metrics.assignment import ClassCounts


def accuracy_and_miou(counts: ClassCounts, assignment: Mapping[int, int | None]) -> tuple[float, float]:
    """(share of the true pixels that are right, mean IoU over the true classes that occur); predicted void is wrong."""
    hit: dict[int, int] = defaultdict(int)
    true_area: dict[int, int] = defaultdict(int)
    predicted_area: dict[int, int] = defaultdict(int)
    for (row, column), pixels in counts.items():
        assigned = None if row is None else assignment.get(row)
        true_area[column] += pixels
        if assigned is not None:
            predicted_area[assigned] += pixels
        if assigned == column:
            hit[column] += pixels
    if not true_area:
        return 0.0, 0.0
    ious = [hit[c] / (true_area[c] + predicted_area[c] - hit[c]) for c in sorted(true_area)]
    return sum(hit.values()) / sum(true_area.values()), sum(ious) / len(ious)


def void_share(counts: ClassCounts) -> float:
    """Share of the true pixels that the result leaves void."""
    total = sum(counts.values())
    return sum(pixels for (row, _), pixels in counts.items() if row is None) / total if total else 0.0
