"""Result folders against truth folders: `evaluate` is the door, `read_tables` and `score` are its halves for scoring by
several protocols."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cups_train.errors import ResultError
from cups_train.evaluation.figures import ClassResult, Evaluation, Quality, mean_quality
from cups_train.evaluation.metrics.assignment import (
    Assignment,
    class_counts,
    counts_in_categories7,
    fit_assignment,
    load_assignment,
)
from cups_train.evaluation.metrics.average_precision import average_precision
from cups_train.evaluation.metrics.cooccurrence import ImageTable, image_tables
from cups_train.evaluation.metrics.panoptic_quality import ClassQuality, panoptic_quality
from cups_train.evaluation.metrics.semantic import accuracy_and_miou, void_share
from cups_train.evaluation.protocols import MATCHINGS, Matching, UnknownRule, VoidRule
from cups_train.folders.result_index import Category, Folders, ResultIndex, read_index

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
    unknown: UnknownRule = "void"
    workers: int = 1  # processes that read images

    @property
    def fitted(self) -> bool:
        """Whether the assignment is fitted, so that the matching has a say."""
        return not self.no_assignment and self.assignment is None


@dataclass(frozen=True, eq=False)
class Tables:
    """Results and their truth, read once; the figures by any protocol are made from it."""

    results: ResultIndex
    truths: ResultIndex
    images: tuple[ImageTable, ...]

    @cached_property
    def counts(self) -> dict[tuple[int | None, int], int]:
        """(pseudo class or None where void, true class) -> pixels."""
        return class_counts(self.images)

    @cached_property
    def categories(self) -> dict[int, Category]:
        """Classes of both; one that both have is the truth's, one that only the result has (ids compared as they are)
        is the result's."""
        return {**self.results.categories, **self.truths.categories}

    @cached_property
    def precision(self) -> tuple[float | None, float | None]:
        """(AP, AP at IoU 0.5) of things as one class, whatever the assignment; None without scores or true things."""
        found = (
            average_precision(self.images, self.results.is_thing, self.truths.is_thing) if self.results.scored else None
        )
        return found or (None, None)


def evaluate(result: Folders, truth: Folders, options: EvaluationOptions | None = None) -> Evaluation:
    """Compare result folders with truth folders (each one folder, several joined by commas, or a list).

    Maps are read one image at a time; only sparse tables are kept. Raises ResultError where a folder does not fit,
    or an image of the truth has no result.
    """
    options = options or EvaluationOptions()
    _check(options)
    return score(read_tables(result, truth, options.workers, options.unknown), options)


def evaluate_by_matching(result: Folders, truth: Folders, options: EvaluationOptions) -> dict[Matching, Evaluation]:
    """The same by every matching, from one reading of the images; one figure alone where the assignment is not
    fitted."""
    _check(options)
    tables = read_tables(result, truth, options.workers, options.unknown)
    fit = _fit_tables(options)
    asked = MATCHINGS if options.fitted else (options.matching,)
    return {matching: score(tables, replace(options, matching=matching), fit) for matching in asked}


def read_tables(result: Folders, truth: Folders, workers: int = 1, unknown: UnknownRule = "void") -> Tables:
    """The tables of all images of the truth. Raises ResultError as `evaluate` does."""
    results, truths = _read_result(result, unknown), read_index(truth)
    if not truths.frames:
        raise ResultError(f"expected images in the truth {truths.name}, found none (--truth)")
    return Tables(results, truths, tuple(image_tables(results, truths, workers)))


def score(tables: Tables, options: EvaluationOptions, fit: Tables | None = None) -> Evaluation:
    """All figures by one protocol. `fit`: the tables of the folders that `options` names for the fit, where they are
    read already."""
    assignment = _assignment(tables, options, fit)
    quality = panoptic_quality(
        tables.images,
        None if assignment is None else assignment.panoptic,
        lambda c: tables.categories[c].isthing,
        options.void,
    )
    if not quality:
        logger.warning("no class has a segment that counts in %s: PQ is 0 for want of any", tables.results.name)
    return _evaluation(tables, options, assignment, quality)


def _check(options: EvaluationOptions) -> None:
    if (options.fit_result is None) != (options.fit_truth is None):
        raise ResultError("expected --fit-result and --fit-truth together, found one of them")
    given = {
        "--no-assignment": options.no_assignment,
        "--assignment": options.assignment,
        "--fit-result": options.fit_result,
    }
    ways = [name for name, value in given.items() if value]
    if len(ways) > 1:
        raise ResultError(f"expected one way to assign classes, found {' and '.join(ways)}")


def _read_result(folders: Folders, unknown: UnknownRule) -> ResultIndex:
    index = read_index(folders)
    return index.crowd_as_void() if unknown == "void" else index


def _fit_tables(options: EvaluationOptions) -> Tables | None:
    """Of the folders on which the assignment is fitted; None where they are those that are scored."""
    if options.fit_result is None or options.fit_truth is None:
        return None
    results, truths = _read_result(options.fit_result, options.unknown), read_index(options.fit_truth)
    return Tables(results, truths, tuple(image_tables(results, truths, options.workers)))


def _assignment(tables: Tables, options: EvaluationOptions, fit: Tables | None) -> Assignment | None:
    """Classes that the fit or the file does not know become void; None: ids are compared as they are."""
    if options.no_assignment:
        return None
    if options.assignment is not None:
        found = load_assignment(options.assignment, tables.truths)
    else:
        fit = fit or _fit_tables(options) or tables
        found = fit_assignment(fit.counts, fit.results, fit.truths, options.matching)
    void: dict[int, int | None] = dict.fromkeys(tables.results.categories)
    return Assignment(
        {**void, **found.panoptic}, {**void, **found.semantic}, {**void, **found.categories7}, found.matching
    )


def _evaluation(
    tables: Tables, options: EvaluationOptions, assignment: Assignment | None, quality: Mapping[int, ClassQuality]
) -> Evaluation:
    per_class = tuple(
        ClassResult(tables.categories[c], Quality(q.pq, q.sq, q.rq), q.tp, q.fp, q.fn) for c, q in quality.items()
    )
    identity: dict[int, int | None] = {c: c for c in tables.results.categories}
    acc, miou = accuracy_and_miou(tables.counts, identity if assignment is None else assignment.semantic)
    seven = counts_in_categories7(tables.counts, tables.truths.categories) if assignment is not None else {}
    acc7, miou7 = accuracy_and_miou(seven, assignment.categories7) if assignment is not None and seven else (None, None)
    ap, ap50 = tables.precision
    things, stuff = ([c for c in per_class if c.category.isthing == isthing] for isthing in (True, False))
    return Evaluation(
        all=mean_quality(per_class),
        things=mean_quality(things),
        stuff=mean_quality(stuff),
        per_class=per_class,
        acc=acc,
        miou=miou,
        acc7=acc7,
        miou7=miou7,
        ap=ap,
        ap50=ap50,
        void_share=void_share(tables.counts),
        void_rule=options.void,
        matching=options.matching if assignment is None else assignment.matching,
        assignment=assignment,
        pseudo_classes=len(tables.results.categories),
        images=len(tables.images),
    )
