"""One class for every moving object: votes of its pixels, and the rule that turns votes into a class."""
from __future__ import annotations

import numpy as np

SHORTEST_SIDE = 4  # px: what the border leaves of an object is dropped below this
VOID = 0


def border_width(width: int, share: float) -> int:
    """Columns at each side of an image that carry no instances (32 of 1280 in CUPS)."""
    return round(share * width)


def clear_border(instances: np.ndarray, share: float) -> np.ndarray:
    """(H, W) ids, 0 = none -> the same without objects in the columns at both sides, and without slivers that this leaves.

    Half-seen objects have no trustworthy disparity at the left border and leave the picture at both.
    """
    border = border_width(instances.shape[1], share)
    cleared: np.ndarray = instances.copy()
    if border:
        cleared[:, :border] = 0
        cleared[:, -border:] = 0
    for object_id in np.flatnonzero(np.bincount(cleared[cleared > 0])).tolist():
        mask = cleared == object_id
        if min(np.count_nonzero(mask.any(axis=0)), np.count_nonzero(mask.any(axis=1))) < SHORTEST_SIDE and (mask != (instances == object_id)).any():
            cleared[mask] = 0
    return cleared


def count_votes(class_map: np.ndarray, instances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of every class in every object: ids (N,), ascending, and votes (N, K + 1); column 0 is void."""
    inside = instances > 0
    objects, classes = instances[inside].astype(np.int64), class_map[inside]
    ids = np.flatnonzero(np.bincount(objects))
    row = np.zeros(int(objects.max(initial=0)) + 1, np.int64)
    row[ids] = np.arange(len(ids))
    return ids, np.bincount(row[objects] * (k + 1) + classes, minlength=len(ids) * (k + 1)).reshape(len(ids), k + 1)


def majority(votes: np.ndarray, compat: bool = False) -> np.ndarray:
    """(N, K + 1) votes -> (N,) most frequent class, the smallest id on ties, void (0) where no pixel has a class.

    `compat`: the published vote, in which the first class stands for "none" and loses ties.
    """
    columns = np.arange(1, votes.shape[1])
    order = np.roll(columns, -1) if compat else columns
    best: np.ndarray = np.where(votes[:, 1:].any(axis=1), order[votes[:, order].argmax(axis=1)], VOID)
    return best


def object_classes(votes: np.ndarray, things: tuple[int, ...], thing_vote: float) -> np.ndarray:
    """(N, K + 1) votes -> (N,) class of each object, once things are known.

    What moves is a thing, though a mask holds some of what lies behind, and a class of glass or shadow may be stuff: where the
    thing classes together have `thing_vote` of an object's pixels, the best of them names it. Elsewhere the majority does, a
    stuff class: the motion is not believed.
    """
    chosen = majority(votes)
    if not things or not len(votes):
        return chosen
    of_things = votes[:, list(things)]
    enough = of_things.sum(axis=1) >= thing_vote * np.maximum(votes[:, 1:].sum(axis=1), 1)
    return np.where(enough & of_things.any(axis=1), np.array(things)[of_things.argmax(axis=1)], chosen)


def paint(class_map: np.ndarray, instances: np.ndarray, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Write every object's class on its pixels: (H, W) class ids -> (H, W) uint8. An object without a class leaves its pixels alone."""
    table = np.zeros(int(instances.max(initial=0)) + 1, np.uint8)
    table[ids] = classes
    drawn = table[instances]
    return np.where(drawn > 0, drawn, class_map).astype(np.uint8)


def align(class_map: np.ndarray, instances: np.ndarray, k: int, compat: bool = False) -> np.ndarray:
    """Every object takes the most frequent class of its pixels (CUPS, alignment of semantics and instances): (H, W) -> (H, W) uint8."""
    ids, votes = count_votes(class_map, instances, k)
    return paint(class_map, instances, ids, majority(votes, compat))
