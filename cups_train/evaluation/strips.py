"""Pictures that people compare: an image, its truth and every stage's answer in the colours of the true classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.colors import outlines, palette, tint
from cups_ros.types import Color
from cups_train.files import read_image, read_json, write_image, write_json
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.result_index import FrameEntry, ResultIndex, SegmentEntry, read_index
from cups_train.folders.results import rgb_to_ids
from cups_train.picks import evenly_spaced
from cups_train.recording import Recording

MOST = 6  # frames
LEGEND = "legend.json"  # [[name, [r, g, b]], ...] of what is seen, the most first
NAMES = 12  # in the legend
UNKNOWN: Color = (150, 90, 40)  # unknown objects
VOID: Color = (0, 0, 0)  # what an answer leaves open, and classes that stand for no true class
OUTLINE: Color = (255, 255, 255)


@dataclass(frozen=True)
class Answer:
    """What one stage says to the recordings of a validation."""

    name: str  # of the stage
    folders: Sequence[Path]  # result folders, one a recording
    true_class: Mapping[int, int | None]  # of each pseudo class


@dataclass(frozen=True, eq=False)
class Paint:
    """The colours of the true classes, and the two more that answers need."""

    table: np.ndarray  # (C, 3) uint8 by class id; 0 is not painted
    unknown: int
    void: int

    @classmethod
    def of(cls, truths: Sequence[Path]) -> Paint:
        """In the colours that the truth folders give their classes; those without one get one of ours."""
        rows = {row["id"]: row for truth in truths for row in read_json(truth / PANOPTIC)["categories"]}
        first = 1 + max(rows)
        table = np.zeros((first + 2, 3), np.uint8)
        for (class_id, row), color in zip(sorted(rows.items()), palette(len(rows)), strict=True):
            table[class_id] = row["color"] if _is_color(row.get("color")) else color
        table[first], table[first + 1] = UNKNOWN, VOID
        return cls(table, first, first + 1)


def write_strips(
    out: Path, recordings: Sequence[Recording], truths: Sequence[Path], answers: Sequence[Answer], most: int = MOST
) -> None:
    """Write OUT/NAME_KEY/N_WHAT.jpg for at most `most` frames, evenly spread over all recordings: the image, its truth
    and each answer, in this order; and OUT/legend.json."""
    paint, truth = Paint.of(truths), read_index(list(truths))
    given = [(answer, read_index(list(answer.folders))) for answer in answers]
    itself = {i: i for i in truth.categories}
    pixels = np.zeros(len(paint.table), np.int64)
    keys = sorted(truth.frames)
    for position, file in (keys[i] for i in evenly_spaced(len(keys), most)):
        recording, key = recordings[position], Path(file).stem
        image, folder = recording.left(key), out / f"{recording.name}_{key}"
        write_image(folder / "0_image.jpg", image)
        classes, edges = _classes(truth.frames[position, file], truth, itself, paint)
        pixels += np.bincount(classes.ravel(), minlength=len(pixels))
        write_image(folder / "1_truth.jpg", _painted(image, classes, edges, paint))
        for number, (answer, index) in enumerate(given, 2):
            found = _classes(index.frames[position, file], index, answer.true_class, paint)
            write_image(folder / f"{number}_{answer.name}.jpg", _painted(image, *found, paint))
    names = {i: c.name for i, c in truth.categories.items()}
    seen = [i for i in np.argsort(-pixels, kind="stable").tolist() if pixels[i] and i in names][:NAMES]
    legend = [[names[i], paint.table[i].tolist()] for i in seen]
    legend += [["unknown object", list(UNKNOWN)], ["nothing that has a true class", list(VOID)]]
    write_json(out / LEGEND, legend)


def _is_color(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(part, int) and 0 <= part <= 255 for part in value)
    )


def _classes(
    frame: FrameEntry, index: ResultIndex, true_class: Mapping[int, int | None], paint: Paint
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) ids in the paint's table, and (H, W) bool: outlines of instances."""

    def painted_as(segment: SegmentEntry | None) -> int:
        if segment is None:
            return paint.void
        if index.categories[segment.category_id].unknown:
            return paint.unknown
        return true_class.get(segment.category_id) or paint.void

    ids = rgb_to_ids(read_image(frame.image))
    segments, inverse = np.unique(ids, return_inverse=True)
    known = [frame.segments.get(int(i)) for i in segments]
    classes = np.array([painted_as(s) for s in known])[inverse].reshape(ids.shape)
    things = np.array([s is not None and not s.iscrowd and index.is_thing(s.category_id) for s in known])
    return classes, outlines(np.where(things[inverse].reshape(ids.shape), ids, 0))


def _painted(image: np.ndarray, classes: np.ndarray, edges: np.ndarray, paint: Paint) -> np.ndarray:
    picture = tint(image, classes, paint.table, 0.6)
    picture[edges] = OUTLINE
    return picture
