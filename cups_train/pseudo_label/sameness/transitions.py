"""What becomes of a point's class as the camera moves: counts along chains of optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.geometry.warp import warp

BORDER = 3  # px: nearer to another class, a wrong flow looks like a transition


@dataclass(frozen=True, eq=False)
class Step:
    """Checked flow from one frame to the next."""

    flow: np.ndarray  # (H, W, 2) float32 px
    ok: np.ndarray  # (H, W) bool


def away_from_borders(class_map: np.ndarray, border: int = BORDER) -> np.ndarray:
    """(H, W) uint8 ids -> (H, W) bool: all pixels within `border` px, diagonals included, are of one class."""
    square = np.ones((2 * border + 1, 2 * border + 1), np.uint8)
    return np.asarray(cv2.erode(class_map, square) == cv2.dilate(class_map, square))


def chain(steps: Sequence[Step]) -> Step:
    """The steps one after the other: where a pixel of the first frame is after the last, and whether every step on its
    way was sure."""
    flow, ok = steps[0].flow, steps[0].ok
    for step in steps[1:]:
        onward, inside = warp(step.flow, flow, nearest=True)
        sure, _ = warp(step.ok.astype(np.uint8), flow, nearest=True)
        flow, ok = flow + onward, ok & inside & (sure > 0)
    return Step(flow, ok)


def count_transitions(here: np.ndarray, there: np.ndarray, way: Step, k: int) -> np.ndarray:
    """Points of class a here, (H, W), that are of class b there: (K, K) int64.

    Both maps hold ids 1..K, and 0 where a point is not to be counted.
    """
    fetched, inside = warp(there, way.flow, nearest=True)
    counted = way.ok & inside & (here > 0) & (fetched > 0)
    pairs = (here[counted].astype(np.int64) - 1) * k + fetched[counted].astype(np.int64) - 1
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def kept_share(transitions: np.ndarray, table: np.ndarray) -> float:
    """Share of tracked points that keep their class. transitions: (K, K) counts; table: (K,) class of each cluster."""
    same = table[:, None] == table[None]
    return float(transitions[same].sum() / max(transitions.sum(), 1))
