"""Names and colours that a person has given to the pseudo classes of a run (RUN/names.yaml)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cups_ros.types import Classes
from cups_train.errors import CupsError, ModelError


def read_names(path: Path, classes: Classes) -> Classes:
    """Names and colours of RUN/names.yaml over the run's classes; thing or stuff stays. Raises CupsError."""
    try:
        given: dict[int, dict[str, Any]] = yaml.safe_load(path.read_text())
        rows = [{**row, "name": str(given[row["id"]]["name"]), "color": [int(v) for v in given[row["id"]]["color"]]} for row in classes.to_json()]
        return Classes.from_json(rows)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise CupsError(f"expected `id: {{name, color: [r, g, b]}}` for ids 1 to {len(classes)} in {path}, found {error!r}; "
                        "delete it and type `cups-train name`") from error


def under_names(own: Classes, named: Classes) -> Classes:
    """The classes of a trained network as its run names them now. Raises ModelError where the run was labelled again since."""
    if len(own) != len(named) or own.things != named.things:
        raise ModelError(f"expected a network for the {len(named)} classes of its run with the things {list(named.things)}, found one for "
                         f"{len(own)} with the things {list(own.things)}; `cups-train train` makes it again from the new labels")
    return named
