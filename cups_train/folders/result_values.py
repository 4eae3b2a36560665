"""Values of a panoptic.json, whoever wrote it, one by one: each is what it says or a ResultError says what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from cups_train.errors import ResultError

LARGEST_ID = 2**24 - 1  # of a segment: R + 256 G + 65536 B
SHOWN = 60  # characters of a value in a sentence


def whole(value: Any, what: str) -> int:
    """A whole number, also where it is written 7.0. Raises ResultError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ResultError(f"expected a whole number as {what}, found {shown(value)}")
    return value


def segment_id(value: Any) -> int:
    """Raises ResultError for 0, which is void, and what three bytes cannot hold."""
    number = whole(value, "the id of a segment")
    if not 0 < number <= LARGEST_ID:
        raise ResultError(f"expected segments with ids from 1 to {LARGEST_ID}, found {shown(value)} (0 is void)")
    return number


def score_of(value: Any) -> float | None:
    """Raises ResultError for what is no number from 0 to 1."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ResultError(f"expected scores from 0 to 1, found {shown(value)}")
    return float(value)


def area_of(value: Any) -> int | None:
    """Pixels. Raises ResultError."""
    return None if value is None else whole(value, "the area of a segment")


def file_name(value: Any) -> str:
    """A path below its folder. Raises ResultError."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ResultError(f"expected the name of a file as file_name, found {shown(value)}")
    parts = (*PurePosixPath(value).parts, *PureWindowsPath(value).parts)
    if ".." in parts or PurePosixPath(value).is_absolute() or PureWindowsPath(value).anchor:
        raise ResultError(f"expected a file_name within its folder, found {shown(value)}")
    return value


def flag(value: Any, what: str) -> bool:
    """True, false, 1 or 0, which is what COCO writes. Raises ResultError."""
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise ResultError(f"expected 0 or 1 as {what}, found {shown(value)}")
    return bool(value)


def class_name(value: Any) -> str:
    """Raises ResultError."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ResultError(f"expected the name of a category, found {shown(value)}")
    return value


def image_id(value: Any) -> int | str:
    """COCO numbers its images, Cityscapes names them. Raises ResultError."""
    return value if isinstance(value, str) else whole(value, "an image_id")


def once(values: Iterable[Any], what: str) -> None:
    """Raises ResultError where a value stands there twice."""
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ResultError(f"expected every {what} once, found {shown(twice[0])} more than once")


def shown(value: Any) -> str:
    """A value in a sentence: one line, not too long, only what every terminal can write."""
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
