"""Names of classes from an assignment that was fitted on labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cups_ros.types import Classes
from cups_train.errors import ResultError
from cups_train.files import read_object, write_text
from cups_train.folders.earlier_names import OURS
from cups_train.folders.names import names_yaml

HEAD = "# Names without a question mark that nobody typed were fitted on labelled images: {}\n"


def take_names(path: Path, classes: Classes, assignment: Path, class_of: Sequence[int]) -> None:
    """Write RUN/names.yaml, `path`: classes that stand for a true class take its name, unless a person has named them.
    Classes of one name are one class. class_of: class of each cluster. Raises ResultError where the file does not fit.
    """
    tree = read_object(assignment)
    try:
        names = {int(i): str(name) for i, name in tree["names"].items()}
        fitted = {int(i): names[int(true)] for i, true in tree["assignment"].items() if true is not None}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResultError(
            f"expected an assignment with the names of its true classes in {assignment}, found {error!r}; "
            "`cups-train evaluate RESULT --truth TRUTH --save-assignment FILE` writes one"
        ) from error
    _check(fitted, classes, assignment)
    named = Classes(tuple(replace(c, name=fitted[c.id]) if _may_be_named(c, fitted) else c for c in classes))
    write_text(path, HEAD.format(assignment.name) + names_yaml(named, class_of))


def _may_be_named(c: Any, fitted: dict[int, str]) -> bool:
    return c.id in fitted and not c.unknown and OURS.fullmatch(c.name) is not None


def _check(fitted: dict[int, str], classes: Classes, assignment: Path) -> None:
    if other := sorted(set(fitted) - {c.id for c in classes}):
        raise ResultError(
            f"expected in {assignment} the classes 1 to {len(classes)} of this run, found {other[0]}; fit it on "
            "results of this run"
        )
