"""Track ids: objects of one frame carried to the next by their own and the camera's motion."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from cups_train.geometry.se3 import apply, inverse
from cups_train.types import Absence, MotionResult, MovingObject, Reason

MAX_DISTANCE = 1.5  # m, between the carried and the found centroid
MAX_DEPTH_SHARE = 0.06  # more at depth: share of the distance
SHIFT_SHARE = 0.6  # largest difference of two displacements that confirm each other, share of the larger
SHIFT_SLACK = 0.05  # m, a difference that always may be
# 1/m, error of a displacement in depth per squared distance: 0.15 px at a focal length times baseline of 155 px m
DEPTH_NOISE = 0.001
MAX_AGE = 2  # frames that an object may be missing
SIZE_CHANGE = 2.5  # largest change of the visible surface of what confirms each other, times
# m and share of the size: how far from its predicted place an object may be found; or as far as it moves
ARRIVAL, ARRIVAL_SHARE = 0.3, 0.25
REACH = 2  # frames before and after that may confirm an object


@dataclass(frozen=True, eq=False)
class _Track:
    id: int
    centre: np.ndarray  # (3,) m, carried to the current frame
    transform: np.ndarray  # (4, 4), own motion of its last object
    age: int  # frames since it was seen


def track(results: Iterable[MotionResult], follows: Sequence[bool]) -> Iterator[MotionResult]:
    """The same results, one by one, with track ids from 1 on. `follows[i]`: frame i + 1 is the t+1 of frame i."""
    tracks: list[_Track] = []
    number = 0
    for i, result in enumerate(results):
        if i and not follows[i - 1]:
            tracks = []
        pairs = _assign(tracks, result.objects)
        objects, live = [], []
        for j, found in enumerate(result.objects):
            if j in pairs:
                ident = tracks[pairs[j]].id
            else:
                number += 1
                ident = number
            objects.append(replace(found, track_id=ident))
            live.append(_Track(ident, np.array(found.centroid_m), found.transform, 0))
        seen = set(pairs.values())
        live += [replace(t, age=t.age + 1) for k, t in enumerate(tracks) if k not in seen and t.age < MAX_AGE]
        tracks = [_carry(t, result.ego) for t in live]
        yield replace(result, objects=tuple(objects))


def keep_supported(results: Iterable[MotionResult], follows: Sequence[bool], focal: float) -> Iterator[MotionResult]:
    """Leave out tracked objects whose motion no neighbouring frame of their track confirms; frames without neighbours
    keep theirs.

    Two frames before and two after each are looked at, no more are held. `focal`: focal length [px].
    """
    window: deque[tuple[int, MotionResult]] = deque(maxlen=2 * REACH + 1)
    waiting: deque[int] = deque()
    for i, result in enumerate(results):
        window.append((i, result))
        waiting.append(i)
        if len(waiting) > REACH:
            yield _supported(waiting.popleft(), window, follows, focal)
    while waiting:
        yield _supported(waiting.popleft(), window, follows, focal)


def _supported(
    i: int, window: Iterable[tuple[int, MotionResult]], follows: Sequence[bool], focal: float
) -> MotionResult:
    """Frame i of the window with what its neighbours confirm."""
    frames = dict(window)
    near = [j for j in frames if 0 < abs(j - i) <= REACH and all(follows[min(i, j) : max(i, j)])]
    result = frames[i]
    confirmed = {
        o.id
        for o in result.objects
        for j in near
        for p in frames[j].objects
        if o.track_id == p.track_id and _same_size(o, p) and _agree(o, p) and _arrives(frames, (i, j), (o, p), focal)
    }
    kept = tuple(o for o in result.objects if not near or o.id in confirmed)
    return result if len(kept) == len(result.objects) else _without(result, kept)


def _same_size(a: MovingObject, b: MovingObject) -> bool:
    """False motion swells and shrinks: its surface is no surface of a body."""
    first, second = (o.pixels * o.centroid_m[2] ** 2 for o in (a, b))
    return bool(max(first, second) <= SIZE_CHANGE * min(first, second))


def _arrives(
    frames: dict[int, MotionResult], steps: tuple[int, int], pair: tuple[MovingObject, MovingObject], focal: float
) -> bool:
    """Does an object lie, some frames on, where its motion takes it? Its visible part changes: centres err by a share
    of its size. True where the camera's motion in between is unknown."""
    (i, j), (a, b) = steps, pair
    between = [frames[k].ego if k in frames else None for k in range(min(i, j), max(i, j))]
    rest = np.array(a.centroid_m)
    for ego in between if j > i else reversed(between):
        if ego is None:
            return True
        rest = apply(inverse(ego) if j > i else ego, rest)
    expected = (j - i) * (apply(a.transform, np.array(a.centroid_m)) - a.centroid_m)
    trust = _trust(a)
    size = np.sqrt(max(a.pixels, b.pixels)) * a.centroid_m[2] / focal
    return bool(
        np.linalg.norm(trust * (b.centroid_m - rest - expected))
        <= max(np.linalg.norm(trust * expected), ARRIVAL + ARRIVAL_SHARE * size)
    )


def _trust(item: MovingObject) -> np.ndarray:
    """(3,) weights of a displacement: depth is its noisy part."""
    return np.array([1, 1, min(1, SHIFT_SLACK / (DEPTH_NOISE * item.centroid_m[2] ** 2))])


def _agree(a: MovingObject, b: MovingObject) -> bool:
    """Do two objects of one track move alike? Turns of the camera in between are small against the allowed
    difference."""
    p, q = (apply(o.transform, np.array(o.centroid_m)) - o.centroid_m for o in (a, b))
    trust = _trust(a)
    return bool(
        np.linalg.norm(trust * (p - q))
        < max(SHIFT_SHARE * max(np.linalg.norm(trust * p), np.linalg.norm(trust * q)), SHIFT_SLACK)
    )


def _without(result: MotionResult, kept: tuple[MovingObject, ...]) -> MotionResult:
    """Only the kept objects, numbered anew."""
    table = np.zeros(int(result.instances.max()) + 1, np.uint16)
    for number, item in enumerate(kept, 1):
        table[item.id] = number
    detail = f"no neighbouring frame confirms any of its {len(result.objects)} objects"
    absence = None if kept else Absence(Reason.UNCONFIRMED, detail)
    return replace(
        result,
        instances=table[result.instances],
        objects=tuple(replace(o, id=n) for n, o in enumerate(kept, 1)),
        absence=absence,
    )


def _carry(item: _Track, ego: np.ndarray | None) -> _Track:
    """To the next frame: own motion first, then into the frame of the moved camera. ego: (4, 4) m."""
    centre = apply(item.transform, item.centre)
    if ego is None:
        return replace(item, centre=centre)
    to_next = inverse(ego)
    return replace(item, centre=apply(to_next, centre), transform=to_next @ item.transform @ ego)


def _assign(tracks: list[_Track], objects: tuple[MovingObject, ...]) -> dict[int, int]:
    """{index of the object: index of the track}."""
    if not tracks or not objects:
        return {}
    carried, found = np.stack([t.centre for t in tracks]), np.array([o.centroid_m for o in objects])
    difference = found[:, None] - carried[None]
    depth = found[:, None, 2]
    along = difference[..., 2] * MAX_DISTANCE / np.maximum(MAX_DISTANCE, 2 * MAX_DEPTH_SHARE * depth)
    distance = np.sqrt(difference[..., 0] ** 2 + difference[..., 1] ** 2 + along**2)
    rows, columns = linear_sum_assignment(np.minimum(distance, 10 * MAX_DISTANCE))
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if distance[r, c] < MAX_DISTANCE}
