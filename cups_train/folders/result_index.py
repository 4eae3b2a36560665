"""What result and truth folders hold: categories and, for each image, its segments. No pixels are read here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cups_train.errors import ResultError
from cups_train.files import read_json
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.result_values import (
    area_of,
    class_name,
    file_name,
    flag,
    image_id,
    once,
    score_of,
    segment_id,
    whole,
)
from cups_train.folders.results import map_path

Folders = str | Path | Sequence[str | Path]
FrameKey = tuple[int, str]  # position of the folder in its list, file name


@dataclass(frozen=True)
class Category:
    """One class of a result or of a truth."""

    id: int
    name: str
    isthing: bool
    unknown: bool = False  # of unknown objects, not one that a true class is found by


@dataclass(frozen=True)
class SegmentEntry:
    """One entry of segments_info."""

    category_id: int
    iscrowd: bool
    score: float | None  # in [0, 1]; None where the file has none
    area: int | None = None  # px, as the file says


@dataclass(frozen=True)
class FrameEntry:
    """One image of a folder."""

    image: Path  # its PNG, id = R + 256 G + 65536 B
    segments: Mapping[int, SegmentEntry]  # by segment id, in the order of the file
    void: frozenset[int] = frozenset()  # ids whose pixels are taken for void
    image_id: int | str = 0


@dataclass(frozen=True)
class ResultIndex:
    """One or several result (or truth) folders, read as one."""

    name: str
    categories: Mapping[int, Category]
    frames: Mapping[FrameKey, FrameEntry]

    def crowd_as_void(self) -> ResultIndex:
        """The same with the pixels of crowd segments void, and without the class of unknown objects."""
        unknown = {c.id for c in self.categories.values() if c.unknown}
        frames = {
            key: _without(frame, {i for i, s in frame.segments.items() if s.iscrowd or s.category_id in unknown})
            for key, frame in self.frames.items()
        }
        return ResultIndex(self.name, {i: c for i, c in self.categories.items() if i not in unknown}, frames)

    def is_thing(self, category_id: int) -> bool:
        return self.categories[category_id].isthing

    @property
    def scored(self) -> bool:
        """True where at least one segment carries a score."""
        return any(s.score is not None for f in self.frames.values() for s in f.segments.values())


def folder_list(folders: Folders) -> list[Path]:
    """ "a,b" or a list -> paths. A comma of a folder's own name is written `\\,`, or as it is where that folder is the
    only one."""
    if isinstance(folders, Path) or (isinstance(folders, str) and folders and Path(folders).is_dir()):
        return [Path(folders)]
    parts = _split(folders) if isinstance(folders, str) else folders
    return [Path(p) for p in parts if str(p)]


def read_index(folders: Folders) -> ResultIndex:
    """Read panoptic.json of every folder. Raises ResultError where one is missing or does not fit its format."""
    paths = folder_list(folders)
    if not paths:
        raise ResultError(
            "expected a folder with panoptic.json, found an empty list (give one, or several joined by commas)"
        )
    categories: dict[int, Category] = {}
    frames: dict[FrameKey, FrameEntry] = {}
    for position, path in enumerate(paths):
        tree = _read_panoptic_json(path)
        try:
            categories |= _categories(tree["categories"])
            frames |= {(position, name): frame for name, frame in _frames(path, tree).items()}
        except ResultError as error:
            raise ResultError(f"{error} in {path / PANOPTIC}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ResultError(
                f"expected images, annotations and categories in COCO panoptic form in {path / PANOPTIC}, "
                f"found {type(error).__name__} at {error}"
            ) from error
    index = ResultIndex(",".join(map(str, paths)), categories, frames)
    _check_categories(index)
    return index


def _read_panoptic_json(folder: Path) -> dict[str, Any]:
    file = folder / PANOPTIC
    if not file.is_file():
        inside = sorted(p.parent.name for p in folder.glob(f"*/{PANOPTIC}"))
        hint = f"; folders in it that have one: {', '.join(inside)} (join those wanted by commas)" if inside else ""
        raise ResultError(f"expected a result folder with panoptic.json, found none in {folder}{hint}")
    tree = read_json(file)
    if not isinstance(tree, dict):
        raise ResultError(
            f"expected an object with images, annotations and categories in {file}, found {type(tree).__name__}"
        )
    return tree


def _split(text: str) -> list[str]:
    return [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]


def _categories(rows: list[dict[str, Any]]) -> dict[int, Category]:
    found = [
        Category(
            whole(row["id"], "the id of a category"),
            class_name(row["name"]),
            flag(row["isthing"], "isthing"),
            flag(row.get("unknown", False), "unknown"),
        )
        for row in rows
    ]
    once((category.id for category in found), "id of a category")
    once((category.name for category in found), "name of a category")
    return {category.id: category for category in found}


def _frames(folder: Path, tree: dict[str, Any]) -> dict[str, FrameEntry]:
    """By file name."""
    rows = tree["annotations"]
    names, ids = [file_name(row["file_name"]) for row in rows], [image_id(row["image_id"]) for row in rows]
    once(names, "file_name of an annotation")
    once(ids, "image_id of an annotation")
    once((image_id(row["id"]) for row in tree["images"]), "id of an image")
    return {
        name: FrameEntry(map_path(folder, name), _segments(row["segments_info"], name), image_id=number)
        for name, number, row in zip(names, ids, rows, strict=True)
    }


def _segments(rows: list[dict[str, Any]], name: str) -> dict[int, SegmentEntry]:
    once((segment_id(row["id"]) for row in rows), f"id of a segment of {name}")
    return {segment_id(row["id"]): _segment(row) for row in rows}


def _segment(row: dict[str, Any]) -> SegmentEntry:
    category = whole(row["category_id"], "the category_id of a segment")
    return SegmentEntry(
        category, flag(row.get("iscrowd", 0), "iscrowd"), score_of(row.get("score")), area_of(row.get("area"))
    )


def _without(frame: FrameEntry, void: set[int]) -> FrameEntry:
    return (
        replace(frame, segments={i: s for i, s in frame.segments.items() if i not in void}, void=frozenset(void))
        if void
        else frame
    )


def _check_categories(index: ResultIndex) -> None:
    used = {s.category_id for f in index.frames.values() for s in f.segments.values()}
    if unknown := sorted(used - set(index.categories)):
        raise ResultError(f"expected every category_id of {index.name} among its categories, found {unknown[:5]}")
