"""One picture of all pseudo classes: the places where each is seen most."""
from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

CROP = 96  # px
EXAMPLES = 3  # of each class
COLUMNS = 6  # classes side by side
TITLE = 16  # px


def contact_sheet(frames: Iterable[tuple[np.ndarray, np.ndarray]], classes: int) -> np.ndarray:
    """frames: (h, w, 3) uint8 images with their (h, w) uint8 class ids 1..K -> (H, W, 3) uint8 RGB.

    Each class shows its id, its share of all pixels, and crops around its largest places; the rest of a crop is dimmed.
    """
    found: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(classes)]
    pixels = np.zeros(classes + 1, np.int64)
    for image, ids in frames:
        counts = np.bincount(ids.ravel(), minlength=classes + 1)
        pixels += counts
        for k in (np.flatnonzero(counts[1:]) + 1).tolist():
            if len(found[k - 1]) < EXAMPLES or counts[k] > found[k - 1][-1][0]:
                found[k - 1] = sorted([*found[k - 1], (int(counts[k]), _crop(image, ids == k))], key=lambda item: -item[0])[:EXAMPLES]
    rows = -(-classes // COLUMNS)
    sheet = np.full((rows * (CROP + TITLE + 4), COLUMNS * (EXAMPLES * CROP + 6), 3), 24, np.uint8)
    for k, examples in enumerate(found):
        y, x = k // COLUMNS * (CROP + TITLE + 4), k % COLUMNS * (EXAMPLES * CROP + 6)
        share = 100 * pixels[k + 1] / max(int(pixels.sum()), 1)
        cv2.putText(sheet, f"{k + 1}   {share:.1f} %", (x + 2, y + TITLE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
        for i, (_, crop) in enumerate(examples):
            sheet[y + TITLE:y + TITLE + CROP, x + i * CROP:x + (i + 1) * CROP] = crop
    return sheet


def _crop(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(CROP, CROP, 3): half the image's height around the mask's densest place."""
    height, width = mask.shape
    size = min(height // 2, width)
    density = cv2.blur(mask.astype(np.float32), (size | 1, size | 1), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(density.argmax()), density.shape)
    top, left = int(np.clip(y - size // 2, 0, height - size)), int(np.clip(x - size // 2, 0, width - size))
    part, inside = image[top:top + size, left:left + size], mask[top:top + size, left:left + size, None]
    shown = np.where(inside, part, part // 3 + 20).astype(np.uint8)
    return cv2.resize(shown, (CROP, CROP), interpolation=cv2.INTER_AREA)
