"""Which true class a pseudo class stands for, fitted on pixel counts or given in a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cups_train.errors import ResultError
from cups_train.evaluation.metrics.cooccurrence import VOID_SEGMENT, ImageTable
from cups_train.evaluation.protocols import Matching
from cups_train.files import read_json, write_json
from cups_train.folders.result_index import Category, ResultIndex

Target = int | None  # a true class (or category of Cityscapes), None = void
# (pseudo class or None where void, true class) -> pixels; true void and crowd left out
ClassCounts = Mapping[tuple[int | None, int], int]

CATEGORIES7: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("flat", ("road", "sidewalk")),
    ("construction", ("building", "wall", "fence")),
    ("object", ("pole", "traffic light", "traffic sign")),
    ("nature", ("vegetation", "terrain")),
    ("sky", ("sky",)),
    ("human", ("person", "rider")),
    ("vehicle", ("car", "truck", "bus", "train", "motorcycle", "bicycle")),
)
_CATEGORY7_OF_NAME = {name: number for number, (_, names) in enumerate(CATEGORIES7) for name in names}


@dataclass(frozen=True)
class Assignment:
    """Pseudo class -> true class, for each of the three protocols."""

    panoptic: Mapping[int, Target]  # things to things, stuff to stuff
    semantic: Mapping[int, Target]  # things and stuff alike
    categories7: Mapping[int, Target]  # to the position in CATEGORIES7
    matching: str

    def to_json(self) -> dict[str, Any]:
        return {
            "matching": self.matching,
            "assignment": _keys_to_text(self.panoptic),
            "semantic": _keys_to_text(self.semantic),
            "categories7": {str(k): None if v is None else CATEGORIES7[v][0] for k, v in self.categories7.items()},
        }


def class_counts(tables: Iterable[ImageTable]) -> dict[tuple[int | None, int], int]:
    """Pixels by pseudo class (None = predicted void) and true class; true void and crowd are left out."""
    counts: dict[tuple[int | None, int], int] = defaultdict(int)
    for table in tables:
        for predicted, true, pixels in table.rows():
            if true != VOID_SEGMENT and not table.true_segments[true].iscrowd:
                row = None if predicted == VOID_SEGMENT else table.predicted_segments[predicted].category_id
                counts[row, table.true_segments[true].category_id] += pixels
    return dict(counts)


def counts_in_categories7(counts: ClassCounts, truth: Mapping[int, Category]) -> dict[tuple[int | None, int], int]:
    """The same counts by Cityscapes' seven categories; true classes without a Cityscapes name are left out."""
    merged: dict[tuple[int | None, int], int] = defaultdict(int)
    for (row, column), pixels in counts.items():
        number = category7(truth[column])
        if number is not None:
            merged[row, number] += pixels
    return dict(merged)


def category7(category: Category) -> int | None:
    """Position of a true class's category in CATEGORIES7; None where its name is not one of Cityscapes'."""
    return _CATEGORY7_OF_NAME.get(category.name)


def match(table: np.ndarray, matching: Matching) -> list[int | None]:
    """(P, T) pixel counts of pseudo and true classes that occur -> a column for each row, None for a row without one.

    `hungarian`: the one-to-one matching of largest total (CUPS's protocol); rows left over, and rows matched to a
    column they share nothing with, go to their largest column. `strict`: these have no column. `majority`: every row
    goes to its largest column. A row without pixels has none.
    """
    if not table.size:
        return [None] * len(table)
    columns: np.ndarray = table.argmax(axis=1)
    has_column: np.ndarray = np.asarray(table.any(axis=1))
    if matching != "majority":
        rows, matched = linear_sum_assignment(table, maximize=True)
        shared = table[rows, matched] > 0
        columns[rows[shared]] = matched[shared]
        if matching == "strict":
            has_column = np.isin(np.arange(len(table)), rows[shared])
    return [int(c) if has else None for c, has in zip(columns, has_column, strict=True)]


def fit_assignment(counts: ClassCounts, result: ResultIndex, truth: ResultIndex, matching: Matching) -> Assignment:
    """Fit all three maps on the counts of `result` against `truth`; true classes that never occur take no part."""
    pseudo = sorted(result.categories)
    present = sorted({column for _, column in counts})
    panoptic: dict[int, Target] = dict.fromkeys(pseudo)
    for isthing in (True, False):
        rows = [c for c in pseudo if result.is_thing(c) == isthing]
        panoptic |= _match_classes(counts, rows, [c for c in present if truth.is_thing(c) == isthing], matching)
    merged = counts_in_categories7(counts, truth.categories)
    seven = sorted({column for _, column in merged}, reverse=True)  # the order decides between equal totals only
    return Assignment(
        panoptic,
        _match_classes(counts, pseudo, present, matching),
        _match_classes(merged, pseudo, seven, matching),
        matching,
    )


def _match_classes(counts: ClassCounts, rows: list[int], columns: list[int], matching: Matching) -> dict[int, Target]:
    table = np.array([[counts.get((row, column), 0) for column in columns] for row in rows], np.int64).reshape(
        len(rows), len(columns)
    )
    return {row: None if c is None else columns[c] for row, c in zip(rows, match(table, matching), strict=True)}


def save_assignment(path: Path, assignment: Assignment, truth: ResultIndex | None = None) -> None:
    """truth: whose classes' names are kept beside, so that `cups-train name` can take them."""
    names = {} if truth is None else {"names": {str(i): c.name for i, c in sorted(truth.categories.items())}}
    write_json(path, {**assignment.to_json(), **names})


def load_assignment(path: Path, truth: ResultIndex) -> Assignment:
    """Read what `save_assignment` wrote, or a plain {"pseudo id": true id | null}, which then serves all three
    protocols.

    Raises ResultError where the file does not fit, or names true classes that `truth` does not have.
    """
    tree = read_json(path)
    try:
        whole = tree if "assignment" in tree else {"assignment": tree}
        panoptic = _keys_to_numbers(whole["assignment"])
        semantic = _keys_to_numbers(whole.get("semantic", whole["assignment"]))
        names = [name for name, _ in CATEGORIES7]
        seven = (
            {int(k): None if v is None else names.index(v) for k, v in whole["categories7"].items()}
            if "categories7" in whole
            else None
        )
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise ResultError(
            f'expected {{"pseudo id": true id or null}} in {path}, found something else ({error}); '
            f"--save-assignment writes such a file"
        ) from error
    if unknown := sorted(
        {c for c in (*panoptic.values(), *semantic.values()) if c is not None} - set(truth.categories)
    ):
        raise ResultError(
            f"expected true classes of {truth.name} in the assignment {path}, found {unknown[:5]} (--assignment)"
        )
    if seven is None:
        seven = {k: None if v is None else category7(truth.categories[v]) for k, v in semantic.items()}
    return Assignment(panoptic, semantic, seven, str(whole.get("matching", "given")))


def _keys_to_text(mapping: Mapping[int, Target]) -> dict[str, Target]:
    return {str(k): v for k, v in mapping.items()}


def _keys_to_numbers(mapping: Mapping[str, Any]) -> dict[int, Target]:
    return {int(k): None if v is None else int(v) for k, v in mapping.items()}
