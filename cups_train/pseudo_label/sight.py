"""How far away, and how high over the ground, the pixels of a frame are: what outlines of objects are judged by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.flow.sgm import disparity
from cups_train.geometry.ground import find_ground
from cups_train.geometry.resize import resize
from cups_train.recording import Recording

WIDEST = 640  # px: wider images are matched in this width
ON_GROUND = 0.1  # m: lower pixels are of the ground, or of a shadow on it
NEARER, FARTHER = 1.8, 0.6  # times the median disparity of an object: what is beyond is not of it
SLACK = 1 / 1024  # share of the width, added to both


@dataclass(frozen=True, eq=False)
class Sight:
    """The left image of one frame."""

    disparity: np.ndarray  # (H, W) float32 px; NaN = unknown
    height: np.ndarray  # (H, W) float32 m over the ground; NaN = unknown
    baseline: float  # m

    @property
    def on_ground(self) -> np.ndarray:
        """(H, W) bool: known to be of the ground."""
        return self.height < ON_GROUND

    def metres_a_pixel(self, mask: np.ndarray) -> float:
        """Of a fronto-parallel object with the mask (H, W) bool; 0 without disparity."""
        known = self.disparity[mask]
        known = known[known > 0]
        return self.baseline / float(np.median(known)) if len(known) else 0.0


def sight_of(recording: Recording, key: str) -> Sight:
    """One frame, matched at no more than WIDEST columns. Without a ground no height is known."""
    frame = recording.stereo(key)
    height, width = frame.left.shape[:2]
    scale = min(1.0, WIDEST / width)
    h, w = round(scale * height), round(scale * width)
    found, ok = disparity(resize(frame.left, h, w), resize(frame.right, h, w))
    known = np.where(ok & (found > 0), found * (width / w), np.nan).astype(np.float32)
    known = cv2.resize(known, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    seen = np.nan_to_num(known)
    ground = find_ground(frame.camera, seen, np.isfinite(known), np.random.default_rng(0))
    high = np.full_like(known, np.nan) if ground is None else ground.height_over(frame.camera, seen)
    return Sight(known, high, frame.camera.baseline)


def trim(instances: np.ndarray, sight: Sight) -> np.ndarray:
    """(H, W) ids, 0 = none -> the same without what lies on the ground, such as shadows, or at another distance than
    its object."""
    trimmed: np.ndarray = np.where(sight.on_ground, 0, instances)
    slack = SLACK * instances.shape[1]
    for object_id in np.flatnonzero(np.bincount(trimmed.ravel()))[1:].tolist():
        mask = trimmed == object_id
        known = sight.disparity[mask & np.isfinite(sight.disparity)]
        if len(known):
            middle = np.median(known)
            beyond = (sight.disparity > NEARER * middle + slack) | (sight.disparity < FARTHER * middle - slack)
            trimmed[mask & beyond] = 0
    return trimmed
