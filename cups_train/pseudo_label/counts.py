"""Where classes lie with regard to moving objects: counts of pixels and objects, summed over frames."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.pseudo_label.align import align, border_width, count_votes, majority

HOLDS = 0.1  # share of an object's pixels from which a class counts as found in it: with 200 classes a car is of ten


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over frames; arrays are (K + 1,) int64 by class id, 0 is void."""

    n_all: np.ndarray  # pixels of the class that could have been inside an object
    n_in: np.ndarray  # of these, pixels inside an object
    n_mask: np.ndarray  # objects in which the class is the most frequent one
    n_found: np.ndarray  # objects in which the class holds at least HOLDS of the pixels
    frames: int
    moving_frames: int  # with at least one object
    instances: int

    @classmethod
    def nothing(cls, k: int) -> Counts:
        zero = np.zeros(k + 1, np.int64)
        return cls(zero, zero, zero, zero, 0, 0, 0)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.n_all + other.n_all, self.n_in + other.n_in, self.n_mask + other.n_mask, self.n_found + other.n_found,
                      self.frames + other.frames, self.moving_frames + other.moving_frames, self.instances + other.instances)


def count_frame(class_map: np.ndarray, instances: np.ndarray, k: int, border: float, compat: bool) -> Counts:
    """One frame's counts. class_map: (H, W) ids 1..K, as classified; instances: (H, W), border cleared.

    Pixels that can never carry an object (the cleared columns) and frames without one say nothing and do not count.
    `compat`: the published count, over all pixels of all frames after alignment.
    """
    ids, votes = count_votes(class_map, instances, k)
    found = (votes[:, 1:] >= HOLDS * np.maximum(votes.sum(axis=1, keepdims=True), 1)) if len(ids) else np.zeros((0, k), bool)
    n_mask = np.bincount(majority(votes, compat), minlength=k + 1)
    n_found = np.concatenate([[0], found.sum(axis=0)])
    if compat:
        counted, inside = align(class_map, instances, k, compat), instances > 0
    elif len(ids):
        columns = border_width(class_map.shape[1], border)
        window = (slice(None), slice(columns, class_map.shape[1] - columns))
        counted, inside = class_map[window], instances[window] > 0
    else:
        counted, inside = class_map[:0], instances[:0] > 0
    return Counts(np.bincount(counted.ravel(), minlength=k + 1), np.bincount(counted[inside], minlength=k + 1), n_mask, n_found,
                  1, int(len(ids) > 0), len(ids))
