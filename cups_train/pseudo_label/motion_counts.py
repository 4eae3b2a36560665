"""Where classes lie with regard to moving objects: counts of pixels and objects, summed over frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.config import LabelConfig
from cups_train.pseudo_label.border import border_width
from cups_train.pseudo_label.votes import Votes, count_votes, majority, paint
from cups_train.published import votes as published

HOLDS = 0.1  # share of an object's pixels from which a class counts as found in it: with 200 classes a car is of ten


@dataclass(frozen=True, eq=False)
class MotionCounts:
    """Sums over frames; arrays are (K + 1,) int64 by class id, 0 is void."""

    n_all: np.ndarray  # pixels of the class that could have been inside an object
    n_in: np.ndarray  # of these, pixels inside an object
    n_mask: np.ndarray  # objects in which the class is the most frequent one
    n_found: np.ndarray  # objects in which the class holds at least HOLDS of the pixels
    frames: int
    moving_frames: int  # with at least one object
    instances: int

    @classmethod
    def nothing(cls, k: int) -> MotionCounts:
        """Of no frame."""
        zero = np.zeros(k + 1, np.int64)
        return cls(zero, zero, zero, zero, 0, 0, 0)

    def __add__(self, other: MotionCounts) -> MotionCounts:
        return MotionCounts(
            self.n_all + other.n_all,
            self.n_in + other.n_in,
            self.n_mask + other.n_mask,
            self.n_found + other.n_found,
            self.frames + other.frames,
            self.moving_frames + other.moving_frames,
            self.instances + other.instances,
        )


def count_frame(class_map: np.ndarray, instances: np.ndarray, k: int, config: LabelConfig) -> MotionCounts:
    """One frame's counts, as the rule of the split asks for them. class_map: (H, W) ids 1..K, as classified; instances:
    (H, W), border cleared."""
    votes = count_votes(class_map, instances, k)
    if config.split == "published":  # all pixels of all frames, after every object took its class
        winners = published.majority(votes.pixels)
        return _counts(paint(class_map, instances, votes.ids, winners), instances, votes, winners)
    return _counts(*_could_move(class_map, instances, config.border), votes, majority(votes.pixels))


def _could_move(class_map: np.ndarray, instances: np.ndarray, border: float) -> tuple[np.ndarray, np.ndarray]:
    """Both maps without what says nothing: pixels that can never carry an object (the cleared columns) and all of a
    frame without one."""
    if not instances.any():
        return class_map[:0], instances[:0]
    columns = border_width(class_map.shape[1], border)
    window = (slice(None), slice(columns, class_map.shape[1] - columns))
    return class_map[window], instances[window]


def _counts(counted: np.ndarray, instances: np.ndarray, votes: Votes, winners: np.ndarray) -> MotionCounts:
    """counted, instances: (h, w) of the pixels that count; winners: (N,) most frequent class of each object."""
    columns, pixels = votes.pixels.shape[1], votes.pixels
    found = pixels[:, 1:] >= HOLDS * np.maximum(pixels.sum(axis=1, keepdims=True), 1)
    return MotionCounts(
        np.bincount(counted.ravel(), minlength=columns),
        np.bincount(counted[instances > 0], minlength=columns),
        np.bincount(winners, minlength=columns),
        np.concatenate([[0], found.sum(axis=0)]),
        1,
        int(len(votes) > 0),
        len(votes),
    )
