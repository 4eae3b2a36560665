"""The sparse table of one image: how many pixels each pair of predicted and true segment shares. All metrics are made
from it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cups_train.errors import ResultError
from cups_train.files import read_image
from cups_train.folders.result_index import FrameEntry, FrameKey, ResultIndex, SegmentEntry
from cups_train.folders.result_pairing import paired
from cups_train.folders.results import rgb_to_ids
from cups_train.parallel import map_frames
from cups_train.progress import progress

logger = logging.getLogger(__name__)
VOID_SEGMENT = 0
_SHIFT = 24  # segment ids have 24 bits


class Overlap(NamedTuple):
    """The pixels that a predicted and a true segment share."""

    predicted: int
    true: int
    pixels: int


class Pairs(NamedTuple):
    """The pairs of segments that occur in an image."""

    predicted: np.ndarray  # (R,) int64 segment ids
    true: np.ndarray  # (R,) int64 segment ids
    pixels: np.ndarray  # (R,) int64, > 0


@dataclass(frozen=True, eq=False)
class ImageTable:
    """One image. Row r: `pixels[r]` pixels lie in predicted segment `predicted[r]` and true segment `true[r]` (0 =
    void)."""

    key: FrameKey
    predicted: np.ndarray  # (R,) int64 segment ids
    true: np.ndarray  # (R,) int64 segment ids
    pixels: np.ndarray  # (R,) int64, > 0
    predicted_segments: Mapping[int, SegmentEntry]
    true_segments: Mapping[int, SegmentEntry]

    def rows(self) -> Iterator[Overlap]:
        """The same row by row, as Python integers."""
        return map(Overlap, self.predicted.tolist(), self.true.tolist(), self.pixels.tolist())


def count_pairs(predicted: np.ndarray, true: np.ndarray) -> Pairs:
    """Two (H, W) maps of ids below 2**24 -> the pairs that occur and their pixels.

    Runs of equal pairs are counted instead of pixels: a map of segments has few.
    """
    code = (predicted.astype(np.int64) << _SHIFT | true.astype(np.int64)).ravel()
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if code.size else np.empty(0, np.int64)
    lengths = np.diff(np.append(starts, code.size))
    pairs, where = np.unique(code[starts], return_inverse=True)
    pixels = np.zeros(len(pairs), np.int64)
    np.add.at(pixels, where, lengths)
    return Pairs(pairs >> _SHIFT, pairs & ((1 << _SHIFT) - 1), pixels)


def image_tables(result: ResultIndex, truth: ResultIndex, workers: int = 1) -> Iterator[ImageTable]:
    """Tables of all images of the truth, in order of folder and file name; maps are read one pair at a time.

    Raises ResultError where an image has no result, or map and segments of one do not fit each other.
    """
    results = paired(result, truth)
    jobs = [_Job(key, results[key], truth.frames[key]) for key in sorted(truth.frames)]
    wrong: list[str] = []
    for job, table in zip(jobs, progress(map_frames(_table, jobs, workers), "evaluate", total=len(jobs)), strict=True):
        wrong += _wrong_areas(table.predicted, table.pixels, job.result)
        wrong += _wrong_areas(table.true, table.pixels, job.truth)
        yield table
    if wrong:
        logger.warning(
            "%d areas of segments are not those of their pixels, which count: first %s", len(wrong), wrong[0]
        )


@dataclass(frozen=True)
class _Job:
    """One image to compare."""

    key: FrameKey
    result: FrameEntry
    truth: FrameEntry


def _table(job: _Job) -> ImageTable:
    result, truth = job.result, job.truth
    predicted, true = _read_ids(result), _read_ids(truth)
    if predicted.shape != true.shape:
        (height, width), (found_height, found_width) = true.shape, predicted.shape
        raise ResultError(
            f"expected {result.image} at the size of its truth, {width} x {height}, found {found_width} x "
            f"{found_height}"
        )
    table = ImageTable(job.key, *count_pairs(predicted, true), result.segments, truth.segments)
    for ids, frame in ((table.predicted, result), (table.true, truth)):
        found = set(ids.tolist())
        if unknown := sorted(found - set(frame.segments) - {VOID_SEGMENT}):
            raise ResultError(
                f"expected every id of {frame.image} in its segments_info, found {unknown[:5]} without an entry"
            )
        if absent := sorted(set(frame.segments) - found):
            raise ResultError(
                f"expected pixels of every segment in {frame.image}, found none of {absent[:5]} of its segments_info"
            )
    return table


def _wrong_areas(ids: np.ndarray, pixels: np.ndarray, frame: FrameEntry) -> list[str]:
    """ids, pixels: (R,) int64, as in a table -> a text for every segment whose file says another area."""
    counts = Counter[int]()
    for number, count in zip(ids.tolist(), pixels.tolist(), strict=True):
        counts[number] += count
    return [
        f"{segment.area} px of segment {number} in {frame.image}, found {counts[number]}"
        for number, segment in frame.segments.items()
        if segment.area is not None and segment.area != counts[number]
    ]


def _read_ids(frame: FrameEntry) -> np.ndarray:
    """(H, W) int64 segment ids, 0 where they are taken for void."""
    image = read_image(frame.image)
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ResultError(
            f"expected an 8-bit RGB image of segment ids in {frame.image}, found {image.dtype} "
            f"with {image.ndim} dimensions"
        )
    ids = rgb_to_ids(image)
    if frame.void:
        ids[np.isin(ids, list(frame.void))] = VOID_SEGMENT
    return ids
