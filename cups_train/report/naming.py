"""`cups-train name`: a contact sheet of the pseudo classes, with what each was joined from, and the YAML in which a
person names, colours and merges them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cups_ros.types import Classes
from cups_train.files import read_image, write_text
from cups_train.folders import stages
from cups_train.folders.labels import class_path, read_class_of
from cups_train.folders.layout import NAMES, NAMES_PAGE
from cups_train.folders.names import are_of_other_labels, names_yaml
from cups_train.folders.semantics import class_map_path
from cups_train.recording import Recording
from cups_train.report.contact_sheet import find_examples
from cups_train.report.pictures import data_uri

EXAMPLES = 8  # crops of one class
OF_A_CLUSTER = 3  # crops of one cluster
FRAMES = 40  # frames of one recording that are looked at


def write_naming_sheet(run: Path, recordings: list[Recording], classes: Classes) -> str:
    """Write RUN/names.html (examples of every class, under the names given so far) and, where it is not there yet, or
    was written for earlier labels, RUN/names.yaml.

    `recordings` are those that the run was labelled from. Gives what was written, in words.
    """
    learned = classes.learned()
    examples = find_examples(_some_frames(run, recordings, partial(_label_of, run)), len(learned), EXAMPLES)
    clusters = _clusters(run, recordings)
    rows = [
        {
            "c": c,
            "share": e.share,
            "images": [data_uri(crop) for crop in e.crops],
            "standing": classes.items[c.merge_into - 1] if c.merge_into else None,
            "clusters": clusters.get(c.id, []),
        }
        for c, e in sorted(zip(learned, examples, strict=True), key=lambda both: (-both[1].share, both[0].id))
    ]
    environment = Environment(
        loader=PackageLoader("cups_train.report", "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    names, sheet = run / NAMES, run / NAMES_PAGE
    page = environment.get_template("names.html").render(name=run.name, rows=rows, file=names.name)
    write_text(sheet, page)
    class_of = read_class_of(run / stages.LABELS)
    if not names.exists() or are_of_other_labels(names, class_of):
        write_text(names, names_yaml(classes, class_of))
    return (
        f"{sheet} shows the classes; write names and colours into {names}, and `merge_into: ID` where two are one; "
        "predict, evaluate and export use them from then on"
    )


def _clusters(run: Path, recordings: list[Recording]) -> dict[int, list[dict[str, Any]]]:
    """Of each class, the clusters that it was joined from, largest first, with a few pictures; nothing where clusters
    are classes."""
    class_of = read_class_of(run / stages.LABELS)
    examples = find_examples(_some_frames(run, recordings, partial(_cluster_of, run)), len(class_of), OF_A_CLUSTER)
    found: dict[int, list[dict[str, Any]]] = {}
    for number, example in sorted(enumerate(examples, 1), key=lambda both: (-both[1].share, both[0])):
        row = {"number": number, "share": example.share, "images": [data_uri(crop) for crop in example.crops]}
        found.setdefault(class_of[number - 1], []).append(row)
    return found


def _some_frames(
    run: Path, recordings: list[Recording], map_of: Callable[[str, str], Path]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(H, W, 3) uint8 left images with a (H, W) uint8 map of ids, of frames spread over each recording; map_of: where
    the map of a recording's name and a frame's key lies."""
    for recording in recordings:
        for stamp in recording.stamps[:: max(1, len(recording.stamps) // FRAMES)]:
            path = map_of(recording.name, stamp.key)
            if path.is_file():
                yield recording.left(stamp.key), read_image(path)


def _label_of(run: Path, name: str, key: str) -> Path:
    return class_path(run / stages.LABELS / name, key)


def _cluster_of(run: Path, name: str, key: str) -> Path:
    return class_map_path(run / stages.SEMANTICS / name, key)
