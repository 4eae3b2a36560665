"""One class for every moving object: votes of its pixels, and the rule that turns votes into a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOID = 0


@dataclass(frozen=True, eq=False)
class Votes:
    """Pixels of every class in every object of one frame."""

    ids: np.ndarray  # (N,) int64 of the objects, ascending
    pixels: np.ndarray  # (N, K + 1) int64; column 0 is void

    def __len__(self) -> int:
        return len(self.ids)


def count_votes(class_map: np.ndarray, instances: np.ndarray, k: int) -> Votes:
    """class_map: (H, W) ids 0..K, 0 = void; instances: (H, W) ids, 0 = none."""
    inside = instances > 0
    objects, classes = instances[inside].astype(np.int64), class_map[inside]
    ids = np.flatnonzero(np.bincount(objects))
    row = np.zeros(int(objects.max(initial=0)) + 1, np.int64)
    row[ids] = np.arange(len(ids))
    return Votes(
        ids, np.bincount(row[objects] * (k + 1) + classes, minlength=len(ids) * (k + 1)).reshape(len(ids), k + 1)
    )


def majority(pixels: np.ndarray) -> np.ndarray:
    """(N, K + 1) pixels -> (N,) most frequent class, the smallest id where votes are even, void (0) where no pixel has
    a class."""
    best: np.ndarray = np.where(pixels[:, 1:].any(axis=1), 1 + pixels[:, 1:].argmax(axis=1), VOID)
    return best


def name_objects(pixels: np.ndarray, things: tuple[int, ...], thing_vote: float) -> np.ndarray:
    """(N, K + 1) pixels -> (N,) class of each object, once things are known.

    What moves is a thing, though a mask holds some of what lies behind, and a class of glass or shadow may be stuff:
    where the thing classes together have `thing_vote` of an object's pixels, the best of them names it. Elsewhere the
    majority does, a stuff class: the motion is not believed.
    """
    chosen = majority(pixels)
    if not things or not len(pixels):
        return chosen
    of_things = pixels[:, list(things)]
    enough = of_things.sum(axis=1) >= thing_vote * np.maximum(pixels[:, 1:].sum(axis=1), 1)
    return np.where(enough & of_things.any(axis=1), np.array(things)[of_things.argmax(axis=1)], chosen)


def paint(class_map: np.ndarray, instances: np.ndarray, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Write every object's class on its pixels: (H, W) class ids and (H, W) objects, of them `ids` (N,) with `classes`
    (N,) -> (H, W) uint8.

    An object without a class leaves its pixels alone.
    """
    table = np.zeros(int(instances.max(initial=0)) + 1, np.uint8)
    table[ids] = classes
    drawn = table[instances]
    return np.where(drawn > 0, drawn, class_map).astype(np.uint8)
