"""Standing things: parts of the thing side without a moving object, such as parked cars, told apart where disparity
steps.

Things touch each other on the road below them, in shadows and at wheels: their parts are found above it. Only what has
a size that moving objects of its kind have is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cups_train.errors import ResultError
from cups_train.files import read_json, write_json
from cups_train.pseudo_label.kinds import EDGES, Kinds, Objects
from cups_train.pseudo_label.sight import Sight

FILE = "standing.json"
FOOT = 0.3  # m over the ground: parts are found above
STEP = 1 / 1280  # share of the width: disparity steps by this much more than by STEP_SHARE of itself, within 5 pixels
STEP_SHARE = 0.03
RANGE = (1, 99)  # percentiles of the sizes of a kind's moving objects
SMALLER, LARGER = 0.5, 1.25  # times these: a parked car is half hidden by the next one
FEWEST = 10  # moving objects of a kind that tell its size
LEAST = 1 / 1310  # share of the picture
SCORE = 0.5  # times the lowest score of a moving object
GROWN = 4  # px: a part takes back so much of the edge that it was cut at
CROSS = np.ones((3, 3), np.uint8)
WINDOW = np.ones((5, 5), np.uint8)


@dataclass(frozen=True)
class SizeRange:
    """Of one kind of moving objects [m]."""

    width: tuple[float, float]
    height: tuple[float, float]

    def holds(self, width: float, height: float) -> bool:
        return self.width[0] <= width <= self.width[1] and self.height[0] <= height <= self.height[1]


@dataclass(frozen=True)
class Standing:
    """What standing things have to be like."""

    sizes: dict[int, SizeRange]  # by class
    score: float  # in [0, 1], below every moving object's


@dataclass(frozen=True, eq=False)
class Found:
    """Standing things of one frame."""

    instances: np.ndarray  # (H, W) int32: the map that was given, and theirs
    ids: np.ndarray  # (N,) int64, ascending, above all that were there
    classes: np.ndarray  # (N,) int64
    pixels: np.ndarray  # (N,) int64


def measure_standing(kinds: Kinds, objects: Objects, lowest_score: float) -> Standing:
    """What the moving objects of a run say of things that stand."""
    named, metres = kinds.classes_of(objects), np.exp(objects.sizes[:, :2])
    sizes = {}
    for class_id in np.flatnonzero(np.bincount(named) >= FEWEST).tolist():
        least, most = np.percentile(metres[named == class_id], RANGE, axis=0)
        width, height = np.stack([SMALLER * least, LARGER * most], 1).round(4).tolist()
        sizes[class_id] = SizeRange(_pair(width), _pair(height))
    return Standing(sizes, round(SCORE * lowest_score, 4))


def find_standing(things: np.ndarray, instances: np.ndarray, sight: Sight, rule: Standing, first: int) -> Found:
    """things: (H, W) class of every pixel on the thing side, 0 = stuff; instances: (H, W) ids, 0 = none; first: id of
    the first thing found."""
    free = (things > 0) & (instances == 0)
    apart = free & ~(sight.height < FOOT) & ~_steps(sight.disparity)
    number, parts, boxes, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8), connectivity=4)
    kept = np.zeros(number, np.int32)
    rows: list[tuple[int, int]] = []
    for part in 1 + np.flatnonzero(boxes[1:, cv2.CC_STAT_AREA] >= LEAST * things.size):
        mask = parts == part
        class_id = int(np.bincount(things[mask]).argmax())
        if class_id in rule.sizes and rule.sizes[class_id].holds(*_size(mask, sight)):
            kept[part] = first + len(rows)
            rows.append((int(kept[part]), class_id))
    grown = _grown(kept[parts], free & ~sight.on_ground)
    together = np.where(grown > 0, grown, instances.astype(np.int32))
    ids, classes = np.array(rows, np.int64).reshape(-1, 2).T
    return Found(together, ids, classes, np.bincount(together.ravel(), minlength=first + len(rows))[ids])


def save_standing(folder: Path, standing: Standing | None) -> None:
    """FOLDER/standing.json; null: standing things have no instances."""
    card = standing and {**asdict(standing), "sizes": {str(c): asdict(s) for c, s in standing.sizes.items()}}
    write_json(folder / FILE, card)


def load_standing(folder: Path) -> Standing | None:
    """What `save_standing` wrote; None where the labels were made before there was any. Raises ResultError."""
    if not (folder / FILE).is_file():
        return None
    card: Any = read_json(folder / FILE)
    try:
        if card is None:
            return None
        sizes = {int(c): SizeRange(_pair(s["width"]), _pair(s["height"])) for c, s in card["sizes"].items()}
        return Standing(sizes, float(card["score"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultError(
            f"expected sizes of moving objects in {folder / FILE}, found {error}; `cups-train pseudo-label` makes it "
            "again"
        ) from error


def _pair(numbers: Sequence[float]) -> tuple[float, float]:
    low, high = numbers
    return float(low), float(high)


def _steps(known: np.ndarray) -> np.ndarray:
    """(H, W) bool: disparity (H, W) steps here; never where it is unknown."""
    smooth = cv2.medianBlur(np.nan_to_num(known), 5)
    step = cv2.dilate(smooth, WINDOW) - cv2.erode(smooth, WINDOW)
    return np.isfinite(known) & (step > STEP * known.shape[1] + STEP_SHARE * smooth)


def _grown(parts: np.ndarray, room: np.ndarray) -> np.ndarray:
    """(H, W) ids, grown by GROWN pixels where there is room, (H, W) bool: (H, W) int32."""
    grown = parts.astype(np.float32)
    for _ in range(GROWN):
        grown = np.where((grown == 0) & room, cv2.dilate(grown, CROSS), grown)
    return grown.astype(np.int32)


def _size(mask: np.ndarray, sight: Sight) -> tuple[float, float]:
    """Width and height [m] of a mask (H, W), measured as a moving object's are; 0 without disparity."""
    v, u = np.nonzero(mask)
    (left, right), (top, bottom) = np.percentile(u, EDGES), np.percentile(v, EDGES)
    metres = sight.metres_a_pixel(mask)
    return float(right - left + 1) * metres, float(bottom - top + 1) * metres
