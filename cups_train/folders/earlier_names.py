"""Names that a person gave to the classes of earlier labels, found again among the classes of today's: by the clusters
that both hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cups_ros.types import Classes

OURS = re.compile(r"(class|mover|thing)_\d+|.*\?")  # names that no person gave


def carried(
    given: Mapping[int, Mapping[str, Any]], then: Sequence[int], classes: Classes, now: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Rows of names.yaml for `classes`. given: the rows by the ids of then; then, now: (K,) class of each cluster.

    A class of stuff inherits from the one of then that most of its clusters were in, each name once; kinds of movers
    follow each other in order. Where the clusters themselves are others, nothing is inherited.
    """
    heir = _heirs(len(given), np.array(then), classes, np.array(now)) if len(then) == len(now) else {}
    became = {old: new for new, old in heir.items()}
    rows: dict[int, dict[str, Any]] = {}
    for c in classes:
        own = given.get(heir.get(c.id, 0), {})
        row: dict[str, Any] = {"name": c.name, "color": list(c.color)}
        if own.get("name") is not None and not OURS.fullmatch(str(own["name"])):
            row = {"name": own["name"], "color": own.get("color", row["color"])}
        if own.get("merge_into") in became:
            row["merge_into"] = became[own["merge_into"]]
        rows[c.id] = row
    return rows


def _heirs(count: int, then: np.ndarray, classes: Classes, now: np.ndarray) -> dict[int, int]:
    """Id of now -> id of then; count: classes of then."""
    more = len(classes) - count
    heirs = {c.id: c.id - more for c in classes if c.isthing}
    stuff = len(classes.stuff)
    shared = np.zeros((stuff, max(stuff - more, 0)), np.int64)  # clusters, by the class of now and of then
    both = (now <= stuff) & (then <= shared.shape[1])
    np.add.at(shared, (now[both] - 1, then[both] - 1), 1)
    for old in range(shared.shape[1]):
        new = int(shared[:, old].argmax())
        if shared[new, old] and shared[new].argmax() == old:
            heirs[new + 1] = old + 1
    return heirs
