"""Class maps against the truth: pixels by class and true class, and what they are worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_train.evaluation.metrics.assignment import CATEGORIES7, match
from cups_train.evaluation.metrics.semantic import accuracy_and_miou
from cups_train.files import read_image, read_json
from cups_train.flow.sgm import disparity
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.results import rgb_to_ids
from cups_train.geometry.resize import resize
from cups_train.recording import Recording
from cups_train.semantics.channels import working_size
from cups_train.types import StereoFrame

Table = np.ndarray  # (K + 1, true classes + 1) pixels


Classify = Callable[[StereoFrame, np.ndarray], np.ndarray]  # frame and disparity at working size -> (H, W) class ids


DISPARITY_HEIGHT = 256  # px of the image that disparity is found on


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording, its truth, and how many of its frames are looked at."""

    recording: Recording
    truth: Path
    every: int

    def frames(self) -> Iterator[tuple[StereoFrame, np.ndarray]]:
        """Frames with their (H, W) true class ids, 0 = void."""
        tree = read_json(self.truth / PANOPTIC)
        for stamp, annotation in list(zip(self.recording.stamps, tree["annotations"], strict=True))[:: self.every]:
            ids = rgb_to_ids(read_image(self.truth / "panoptic" / annotation["file_name"]))
            values, inverse = np.unique(ids, return_inverse=True)
            categories = {
                segment["id"]: segment["category_id"]
                for segment in annotation["segments_info"]
                if not segment.get("iscrowd")
            }
            yield (
                self.recording.stereo(stamp.key),
                np.array([categories.get(int(v), 0) for v in values])[inverse].reshape(ids.shape),
            )


def scores(
    steps: dict[str, Classify], fit: list[Scene], val: list[Scene], count: int, names: dict[int, str]
) -> dict[str, dict[str, list[float]]]:
    """Of each step: [accuracy, mIoU, mIoU of the seven categories] by both matchings, and seconds a frame, disparity
    left out."""
    groups = np.array(
        [0, *(1 + next(i for i, (_, members) in enumerate(CATEGORIES7) if names[c] in members) for c in sorted(names))]
    )
    fitted, scored = (tables(steps, part, count, max(names)) for part in (fit, val))
    rows = {}
    for name in steps:
        (a, _), (b, seconds) = fitted[name], scored[name]
        rows[name] = {"seconds": [seconds]}
        for matching in ("hungarian", "majority"):
            rows[name][matching] = [
                *figures(a, b, matching),
                figures(in_groups(a, groups), in_groups(b, groups), matching)[1],
            ]
    return rows


def tables(steps: dict[str, Classify], part: list[Scene], count: int, classes: int) -> dict[str, tuple[Table, float]]:
    """Of each step: pixels by class and true class, and seconds a frame. Disparity is found once for all."""
    total = {name: np.zeros((count + 1, classes + 1), np.int64) for name in steps}
    spent, frames = dict.fromkeys(steps, 0.0), 0
    for scene in part:
        for frame, truth in scene.frames():
            size = working_size(*frame.left.shape[:2], DISPARITY_HEIGHT)
            found, ok = disparity(*(resize(image, *size) for image in (frame.left, frame.right)))
            known = np.where(ok, found, np.nan).astype(np.float32)
            frames += 1
            for name, classify in steps.items():
                start = time.perf_counter()
                ids = classify(frame, known)
                spent[name] += time.perf_counter() - start
                pairs = ids.ravel().astype(np.int64) * (classes + 1) + truth.ravel()
                total[name] += np.bincount(pairs, minlength=total[name].size).reshape(total[name].shape)
    return {name: (total[name], spent[name] / max(frames, 1)) for name in steps}


def in_groups(table: Table, groups: np.ndarray) -> Table:
    """Columns of true classes added up to those of their categories."""
    merged = np.zeros((len(table), len(CATEGORIES7) + 1), np.int64)
    np.add.at(merged.T, groups, table.T)
    return merged


def figures(fitted: Table, scored: Table, matching: str) -> tuple[float, float]:
    """Accuracy and mIoU on `scored` of the assignment that fits `fitted` best; true class 0 is left out."""
    present = np.flatnonzero(fitted[:, 1:].any(0)) + 1
    columns = match(fitted[1:, present], matching)  # type: ignore[arg-type]
    assignment = {row + 1: None if column is None else int(present[column]) for row, column in enumerate(columns)}
    counts = {(int(i), int(j)): int(scored[i, j]) for i, j in zip(*np.nonzero(scored), strict=True) if j}
    return accuracy_and_miou(counts, assignment)
