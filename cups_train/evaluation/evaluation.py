"""`cups-train evaluate`: result folders against truth folders."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_train.errors import ResultError
from cups_train.evaluation.assignment import Assignment, ClassCounts, Matching, class_counts, counts_in_categories7, fit_assignment, load_assignment
from cups_train.evaluation.average_precision import average_precision
from cups_train.evaluation.cooccurrence import ImageTable, image_tables
from cups_train.evaluation.panoptic_quality import ClassQuality, VoidRule, panoptic_quality
from cups_train.evaluation.result_index import Category, Folders, ResultIndex, read_index
from cups_train.evaluation.semantic import accuracy_and_miou, void_share

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationOptions:
    """How results are compared; the defaults are the official rules with an assignment fitted on the images scored."""

    fit_result: Folders | None = None  # folders on which the assignment is fitted instead
    fit_truth: Folders | None = None
    assignment: Path | None = None  # a saved assignment instead of a fitted one
    no_assignment: bool = False  # compare ids as they are
    matching: Matching = "hungarian"
    void: VoidRule = "official"
    workers: int = 1  # processes that read images


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
        return {"category_id": self.category.id, "name": self.category.name, "isthing": int(self.category.isthing), **self.quality.to_json(),
                "tp": self.tp, "fp": self.fp, "fn": self.fn}


@dataclass(frozen=True)
class Evaluation:
    """All figures of one comparison, between 0 and 1."""

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
    void_rule: str
    matching: str
    assignment: Assignment | None
    pseudo_classes: int
    images: int

    def to_json(self) -> dict[str, Any]:
        """The file that `--json` writes."""
        used = None if self.assignment is None else self.assignment.to_json()["assignment"]
        return {**self.all.to_json(), "things": self.things.to_json(), "stuff": self.stuff.to_json(),
                "per_class": [c.to_json() for c in self.per_class],
                "acc": self.acc, "miou": self.miou, "acc7": self.acc7, "miou7": self.miou7, "ap": self.ap, "ap50": self.ap50,
                "void_rule": self.void_rule, "matching": self.matching, "assignment": used, "images": self.images}


def evaluate(result: Folders, truth: Folders, options: EvaluationOptions | None = None) -> Evaluation:
    """Compare result folders with truth folders (each one folder, several joined by commas, or a list).

    Maps are read one image at a time; only sparse tables are kept. Raises ResultError where a folder does not fit,
    or an image of the truth has no result.
    """
    options = options or EvaluationOptions()
    _check(options)
    results, truths = read_index(result), read_index(truth)
    if not truths.frames:
        raise ResultError(f"expected images in the truth {truths.name}, found none (--truth)")
    tables = list(image_tables(results, truths, options.workers))
    counts = class_counts(tables)
    assignment = _assignment(options, results, truths, counts)
    if assignment is not None:
        assignment = _for_all_classes(assignment, results)
    quality = panoptic_quality(tables, None if assignment is None else assignment.panoptic, _thing_test(truths, results), options.void)
    if not quality:
        logger.warning("no class has a segment that counts in %s: PQ is 0 for want of any", results.name)
    return _evaluation(options, (results, truths), (tables, counts), assignment, quality)


def _check(options: EvaluationOptions) -> None:
    if (options.fit_result is None) != (options.fit_truth is None):
        raise ResultError("expected --fit-result and --fit-truth together, found one of them")
    given = {"--no-assignment": options.no_assignment, "--assignment": options.assignment, "--fit-result": options.fit_result}
    ways = [name for name, value in given.items() if value]
    if len(ways) > 1:
        raise ResultError(f"expected one way to assign classes, found {' and '.join(ways)}")


def _assignment(options: EvaluationOptions, results: ResultIndex, truths: ResultIndex, counts: ClassCounts) -> Assignment | None:
    if options.no_assignment:
        return None
    if options.assignment is not None:
        return load_assignment(options.assignment, truths)
    if options.fit_result is None or options.fit_truth is None:
        return fit_assignment(counts, results, truths, options.matching)
    fit_results, fit_truths = read_index(options.fit_result), read_index(options.fit_truth)
    return fit_assignment(class_counts(image_tables(fit_results, fit_truths, options.workers)), fit_results, fit_truths, options.matching)


def _for_all_classes(assignment: Assignment, results: ResultIndex) -> Assignment:
    """Classes that the fit or the file does not know become void."""
    unknown: dict[int, int | None] = dict.fromkeys(results.categories)
    return Assignment({**unknown, **assignment.panoptic}, {**unknown, **assignment.semantic}, {**unknown, **assignment.categories7},
                      assignment.matching)


def _evaluation(options: EvaluationOptions, indices: tuple[ResultIndex, ResultIndex], measured: tuple[list[ImageTable], ClassCounts],
                assignment: Assignment | None, quality: Mapping[int, ClassQuality]) -> Evaluation:
    (results, truths), (tables, counts) = indices, measured
    known = {**results.categories, **truths.categories}
    per_class = tuple(ClassResult(known[c], Quality(q.pq, q.sq, q.rq), q.tp, q.fp, q.fn) for c, q in quality.items())
    identity: dict[int, int | None] = {c: c for c in results.categories}
    acc, miou = accuracy_and_miou(counts, identity if assignment is None else assignment.semantic)
    seven = counts_in_categories7(counts, truths.categories) if assignment is not None else {}
    acc7, miou7 = accuracy_and_miou(seven, assignment.categories7) if assignment is not None and seven else (None, None)
    ap, ap50 = (average_precision(tables, results.is_thing, truths.is_thing) if results.scored else None) or (None, None)
    things, stuff = ([c for c in per_class if c.category.isthing == kind] for kind in (True, False))
    return Evaluation(
        all=_mean(per_class), things=_mean(things), stuff=_mean(stuff), per_class=per_class,
        acc=acc, miou=miou, acc7=acc7, miou7=miou7, ap=ap, ap50=ap50, void_share=void_share(counts),
        void_rule=options.void, matching=options.matching if assignment is None else assignment.matching,
        assignment=assignment, pseudo_classes=len(results.categories), images=len(tables))


def _thing_test(truths: ResultIndex, results: ResultIndex) -> Callable[[int], bool]:
    """Kind of a true class; a class that only the result knows (ids compared as they are) has the result's."""
    known = {**results.categories, **truths.categories}
    return lambda c: known[c].isthing


def _mean(classes: Iterable[ClassResult]) -> Quality:
    rows = [c.quality for c in classes]
    if not rows:
        return Quality(0.0, 0.0, 0.0)
    return Quality(*(sum(getattr(q, name) for q in rows) / len(rows) for name in ("pq", "sq", "rq")))
