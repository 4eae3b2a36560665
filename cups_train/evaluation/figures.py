"""The figures of results against truth, all between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cups_train.evaluation.metrics.assignment import Assignment
from cups_train.evaluation.protocols import VoidRule
from cups_train.folders.result_index import Category


@dataclass(frozen=True)
class Quality:
    """Means over classes; 0 where there is none."""

    pq: float
    sq: float
    rq: float

    def to_json(self) -> dict[str, float]:
        return {"pq": self.pq, "sq": self.sq, "rq": self.rq}


@dataclass(frozen=True)
class ClassResult:
    """One class with tp + fp + fn > 0."""

    category: Category
    quality: Quality
    tp: int
    fp: int
    fn: int

    def to_json(self) -> dict[str, Any]:
        return {
            "category_id": self.category.id,
            "name": self.category.name,
            "isthing": int(self.category.isthing),
            **self.quality.to_json(),
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
        }


@dataclass(frozen=True)
class Evaluation:
    """All figures of one comparison by one protocol."""

    all: Quality
    things: Quality
    stuff: Quality
    per_class: tuple[ClassResult, ...]
    acc: float
    miou: float
    acc7: float | None
    miou7: float | None
    ap: float | None
    ap50: float | None
    void_share: float  # of the true pixels, left void by the result
    void_rule: VoidRule
    matching: str  # as it was fitted; with a file: as the file says
    assignment: Assignment | None
    pseudo_classes: int
    images: int

    def to_json(self) -> dict[str, Any]:
        """The file that `--json` writes."""
        used = None if self.assignment is None else self.assignment.to_json()["assignment"]
        return {
            **self.all.to_json(),
            "things": self.things.to_json(),
            "stuff": self.stuff.to_json(),
            "per_class": [c.to_json() for c in self.per_class],
            "acc": self.acc,
            "miou": self.miou,
            "acc7": self.acc7,
            "miou7": self.miou7,
            "ap": self.ap,
            "ap50": self.ap50,
            "void_rule": self.void_rule,
            "matching": self.matching,
            "assignment": used,
            "images": self.images,
        }


def mean_quality(classes: Iterable[ClassResult]) -> Quality:
    """Every class counts alike."""
    rows = [c.quality for c in classes]
    if not rows:
        return Quality(0.0, 0.0, 0.0)
    return Quality(*(sum(getattr(q, name) for q in rows) / len(rows) for name in ("pq", "sq", "rq")))
