"""What each pseudo class looks like: the places where it is densest, as crops, and all of them on one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

CROP = 96  # px
EXAMPLES = 3  # of each class on the sheet
COLUMNS = 6  # classes side by side
TITLE = 16  # px
OUTLINE = (255, 210, 0)  # RGB: a dark class would not stand out by light alone


@dataclass(frozen=True, eq=False)
class ClassExamples:
    """One class."""

    share: float  # of all pixels
    # (CROP, CROP, 3) uint8 RGB, from the frames where it is largest; it is outlined, the rest is dimmed
    crops: tuple[np.ndarray, ...]


def find_examples(
    frames: Iterable[tuple[np.ndarray, np.ndarray]], classes: int, most: int = EXAMPLES
) -> tuple[ClassExamples, ...]:
    """frames: (h, w, 3) uint8 images with their (h, w) uint8 class ids, 0 = void -> examples of the classes 1..K in
    order."""
    found: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(classes)]
    pixels = np.zeros(classes + 1, np.int64)
    for image, ids in frames:
        counts = np.bincount(ids.ravel(), minlength=classes + 1)
        pixels += counts
        for k in (np.flatnonzero(counts[1:]) + 1).tolist():
            if len(found[k - 1]) < most or counts[k] > found[k - 1][-1][0]:
                found[k - 1] = sorted(
                    [*found[k - 1], (int(counts[k]), _crop(image, ids == k))], key=lambda item: -item[0]
                )[:most]
    total = max(int(pixels.sum()), 1)
    return tuple(
        ClassExamples(int(pixels[k + 1]) / total, tuple(crop for _, crop in examples))
        for k, examples in enumerate(found)
    )


def contact_sheet(examples: Sequence[ClassExamples]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: each class that occurs, with its id, its share of all pixels and its crops."""
    occurring = [(k, example) for k, example in enumerate(examples, 1) if example.crops]
    rows = max(1, -(-len(occurring) // COLUMNS))
    sheet = np.full((rows * (CROP + TITLE + 4), COLUMNS * (EXAMPLES * CROP + 6), 3), 24, np.uint8)
    for place, (k, example) in enumerate(occurring):
        y, x = place // COLUMNS * (CROP + TITLE + 4), place % COLUMNS * (EXAMPLES * CROP + 6)
        title = f"{k}   {100 * example.share:.1f} %"
        cv2.putText(
            sheet, title, (x + 2, y + TITLE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA
        )
        for i, crop in enumerate(example.crops[:EXAMPLES]):
            sheet[y + TITLE : y + TITLE + CROP, x + i * CROP : x + (i + 1) * CROP] = crop
    return sheet


def _crop(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(CROP, CROP, 3): half the image's height around the mask's densest place."""
    height, width = mask.shape
    size = min(height // 2, width)
    density = cv2.blur(mask.astype(np.float32), (size | 1, size | 1), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(density.argmax()), density.shape)
    top, left = int(np.clip(y - size // 2, 0, height - size)), int(np.clip(x - size // 2, 0, width - size))
    part, inside = (
        cv2.resize(plane[top : top + size, left : left + size], (CROP, CROP), interpolation=cv2.INTER_AREA)
        for plane in (image, mask.astype(np.float32))
    )
    own = (inside > 0.5).astype(np.uint8)
    shown: np.ndarray = np.where(own[..., None] > 0, part, part // 3 + 20).astype(np.uint8)
    shown[(own > 0) & (cv2.erode(own, np.ones((3, 3), np.uint8), borderValue=1) == 0)] = OUTLINE
    return shown
