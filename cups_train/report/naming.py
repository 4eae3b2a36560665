"""`cups-train name`: a contact sheet of the pseudo classes and the YAML in which a person names, colours and merges
them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cups_ros.types import Classes
from cups_train.files import read_image, write_text
from cups_train.folders import stages
from cups_train.folders.labels import class_path
from cups_train.folders.layout import NAMES, NAMES_PAGE
from cups_train.folders.names import names_yaml
from cups_train.recording import Recording
from cups_train.report.contact_sheet import find_examples
from cups_train.report.pictures import data_uri

EXAMPLES = 8  # crops of one class
FRAMES = 40  # frames of one recording that are looked at


def write_naming_sheet(run: Path, recordings: list[Recording], classes: Classes) -> str:
    """Write RUN/names.html (examples of every class, under the names given so far) and, where it is not there yet,
    RUN/names.yaml.

    `recordings` are those that the run was labelled from. Gives what was written, in words.
    """
    learned = classes.learned()
    examples = find_examples(_some_frames(run, recordings), len(learned), EXAMPLES)
    in_order = sorted(zip(learned, examples, strict=True), key=lambda both: (not both[0].isthing, -both[1].share))
    rows = [
        {
            "c": c,
            "share": e.share,
            "images": [data_uri(crop) for crop in e.crops],
            "standing": classes.items[c.merge_into - 1] if c.merge_into else None,
        }
        for c, e in in_order
    ]
    environment = Environment(
        loader=PackageLoader("cups_train.report", "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    names, sheet = run / NAMES, run / NAMES_PAGE
    page = environment.get_template("names.html").render(name=run.name, rows=rows, file=names.name)
    write_text(sheet, page)
    if not names.exists():
        write_text(names, names_yaml(classes))
    return (
        f"{sheet} shows the classes; write names and colours into {names}, and `merge_into: ID` where two are one; "
        "predict, evaluate and export use them from then on"
    )


def _some_frames(run: Path, recordings: list[Recording]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(H, W, 3) uint8 left images with the (H, W) uint8 class ids of their labels, of frames spread over each
    recording."""
    for recording in recordings:
        for stamp in recording.stamps[:: max(1, len(recording.stamps) // FRAMES)]:
            path = class_path(run / stages.LABELS / recording.name, stamp.key)
            if path.is_file():
                yield recording.left(stamp.key), read_image(path)
