"""Names, colours and merges that a person has given to the pseudo classes of a run (RUN/names.yaml)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cups_ros.types import Classes
from cups_train.errors import CupsError, ModelError, briefly
from cups_train.folders.earlier_names import OURS, carried

HEAD = """\
# id: name and colour (r, g, b) of a pseudo class; names.html shows what each holds.
# Where two classes are one thing, `9: {merge_into: 7}` gives all of class 9 to class 7, in every result from then on.
# Only classes of one kind merge, things with things and stuff with stuff; class 9 keeps its id and its labels.
# Leave the last line: by it names find their classes again when labels are made anew.
"""
CLUSTERS = "clusters"  # the one key that is no id


def names_yaml(classes: Classes, class_of: Sequence[int] = ()) -> str:
    """The file as it begins: every class under its present name. class_of: class of each cluster."""
    rows = (
        (
            f"{c.id}: {{name: {json.dumps(c.name, ensure_ascii=False)}, color: [{', '.join(map(str, c.color))}]"
            + (f", merge_into: {c.merge_into}" if c.merge_into else "")
            + "}\n"
        )
        for c in classes
    )
    return HEAD + "".join(rows) + (f"{CLUSTERS}: [{', '.join(map(str, class_of))}]\n" if class_of else "")


def are_of_other_labels(path: Path, class_of: Sequence[int]) -> bool:
    """Whether RUN/names.yaml was written for other classes than these, so that its ids are others."""
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    return isinstance(given, dict) and given.get(CLUSTERS, list(class_of)) != list(class_of)


def read_names(path: Path, classes: Classes, class_of: Sequence[int] = ()) -> Classes:
    """Names, colours and merges of RUN/names.yaml over the run's classes; thing or stuff stays. Raises CupsError.

    A class without a line, or a line without a name or a colour, keeps its own. A merged class shows the name and
    colour of the one that stands for it unless it has its own. Classes of one kind that a person gave one name merge.
    class_of: class of each cluster, by which names that were given to earlier labels find their classes.
    """
    try:
        given: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise ValueError(f"a {type(given).__name__}")
        then = [int(c) for c in given.pop(CLUSTERS, class_of)]
        if then != list(class_of):
            given = dict(carried(given, then, classes, class_of))
        if extra := sorted(set(given) - {c.id for c in classes}, key=str):
            raise ValueError(f"id {extra[0]}")
        given = {c.id: {} for c in classes} | given
        return _equal_names_merged(Classes.from_json([_row(row, given) for row in classes.to_json()]))
    except (
        OSError,
        yaml.YAMLError,
        RecursionError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
    ) as error:
        raise CupsError(
            f"expected `id: {{name, color: [r, g, b]}}` or `id: {{merge_into: id}}` for ids 1 to "
            f"{len(classes)} in {path}, "
            f"found {briefly(f'{type(error).__name__}: {error}')}; mend it, or delete it and type `cups-train name`"
        ) from error


def _row(row: dict[str, Any], given: dict[int, dict[str, Any]]) -> dict[str, Any]:
    own = given[row["id"]]
    if unknown := sorted(set(own) - {"name", "color", "merge_into"}):
        raise ValueError(f"{unknown[0]} of class {row['id']}")
    standing = {**row, **(given[int(own["merge_into"])] if own.get("merge_into") else own)}
    name = own.get("name", standing["name"])
    if isinstance(name, list | dict):
        raise ValueError(f"the name {briefly(name)} of class {row['id']}")
    color = [int(v) for v in own.get("color", standing["color"])]
    if len(color) != 3 or not all(0 <= v <= 255 for v in color):
        raise ValueError(f"color {color} of class {row['id']}")
    return {
        **row,
        "name": str(name),
        "color": color,
        "merge_into": int(own.get("merge_into") or 0),
    }


def _equal_names_merged(classes: Classes) -> Classes:
    """Later classes of one name and kind become parts of the first; names that no person gave do not count."""
    first: dict[tuple[str, bool], int] = {}
    for c in classes:
        if not c.merge_into and not c.unknown and not OURS.fullmatch(c.name):
            first.setdefault((c.name, c.isthing), c.id)
    kept = {into for into in (c.merge_into for c in classes) if into}
    return Classes(
        tuple(
            replace(c, merge_into=into)
            if (into := first.get((c.name, c.isthing), c.id)) != c.id and not c.merge_into and c.id not in kept
            else c
            for c in classes
        )
    )


def under_names(own: Classes, named: Classes) -> Classes:
    """The classes of a trained network as its run names and merges them now. Raises ModelError where the run was
    labelled again since."""
    if len(own) != len(named) or own.things != named.things:
        raise ModelError(
            f"expected a network for the {len(named)} classes of its run with the things "
            f"{list(named.things)}, found one for "
            f"{len(own)} with the things {list(own.things)}; `cups-train train` makes it again from the new labels"
        )
    return named
