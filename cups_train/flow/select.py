"""Several flow fields of one pair become one: at each pixel the field that the images and the opposite direction
confirm best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.geometry.camera import pixel_grid

WINDOW = 9 / 640  # of the image width: side of the square over which costs are averaged
GREY, MOST_GREY = 0.3, 30.0  # weight of the grey difference, and the grey levels that it is cut at
AGREE, MOST_PX = 0.15, 3.0  # weight of the round trip, and the length that it is cut at
MARGIN = 0.04  # costs closer than this are about equal
APART = 1 / 640  # of the image width: fields closer than this say the same
OUTSIDE = 0.6  # cost of leaving the picture
BITS = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)


@dataclass(frozen=True, eq=False)
class Look:
    """What one image looks like around each pixel."""

    grey: np.ndarray  # (H, W) float32
    census: np.ndarray  # (H, W) uint32: which of the 24 neighbours are brighter


def look_at(grey: np.ndarray) -> Look:
    """grey: (H, W) uint8."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (3, 3), 0)
    height, width = grey.shape
    padded = cv2.copyMakeBorder(smooth, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    census = np.zeros(grey.shape, np.uint32)
    for dy in range(5):
        for dx in range(5):
            if (dy, dx) != (2, 2):
                census = census << 1 | (padded[dy : dy + height, dx : dx + width] > smooth)
    return Look(smooth, census.astype(np.uint32))


def fuse(
    fields: Sequence[np.ndarray],
    opposite: Sequence[np.ndarray],
    here: Look,
    there: Look,
    prior: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best of `fields` at each pixel, (H, W, 2) float32 px, and where that choice is open to doubt, (H, W) bool.

    fields: (H, W, 2) float32 px each, measured from `here` to `there`; opposite: measured ones of the way back. prior:
    what theory says; it is taken where it fits about as well. Where the images hardly tell it from another, measured
    field, neither is certain.
    """
    side = 2 * round(WINDOW * here.grey.shape[1] / 2) + 1

    def cost(field: np.ndarray) -> np.ndarray:
        """(H, W) float32, averaged over the window."""
        return cv2.boxFilter(_cost(field, opposite, here, there), -1, (side, side))

    costs = np.stack([cost(field) for field in fields])
    flow = np.take_along_axis(np.stack(fields), costs.argmin(0)[None, ..., None], 0)[0]
    if prior is None:
        return flow, np.zeros(here.grey.shape, bool)
    better = cost(prior) - costs.min(0)
    apart = np.linalg.norm(prior - flow, axis=-1) > APART * here.grey.shape[1]
    return np.where((better < MARGIN)[..., None], prior, flow), apart & (np.abs(better) < MARGIN)


def _cost(field: np.ndarray, opposite: Sequence[np.ndarray], here: Look, there: Look) -> np.ndarray:
    """(H, W) float32: share of differing census bits, grey difference, and the shortest round trip with any of the
    `opposite` fields."""
    height, width = here.grey.shape
    u, v = pixel_grid(height, width)
    x, y = (u + field[..., 0]).astype(np.float32), (v + field[..., 1]).astype(np.float32)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    column, row = (np.clip(np.rint(at), 0, most - 1).astype(np.intp) for at, most in ((x, width), (y, height)))
    differ = here.census ^ there.census[row, column]
    bits = BITS[differ & 0xFFFF] + BITS[differ >> 16]
    grey = np.minimum(
        np.abs(here.grey - cv2.remap(there.grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)), MOST_GREY
    )
    trips = [
        np.square(field + cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)).sum(-1)
        for back in opposite
    ]
    trip = np.sqrt(np.minimum(np.min(trips, 0), MOST_PX**2)) / MOST_PX
    cost = np.where(inside, (1 - GREY) * bits / 24 + GREY * grey / MOST_GREY, OUTSIDE) + AGREE * trip
    return cost.astype(np.float32)
