"""Track ids, and what neighbouring frames confirm."""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cups_train.geometry import se3
from cups_train.motion.tracks import keep_supported, track
from cups_train.types import Absence, MotionResult, MovingObject, Reason


def shift(x: float, z: float = 0.0) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, z]))


@dataclass(frozen=True)
class Walk:
    """A made-up sequence of results: one object on its way, the camera drives 1 m a frame."""

    shifts: tuple[float, ...]

    def results(self) -> list[MotionResult]:
        out, x = [], 0.0
        for i, step in enumerate(self.shifts):
            instances = np.zeros((4, 6), np.uint16)
            instances[1, 2] = 1
            item = MovingObject(1, None, 1.0, 1, shift(step), (x, 1.0, 20.0 - i), "residual")
            out.append(MotionResult(f"{i:06d}", i, instances, shift(0, 1.0), (item,), None))
            x += 0.5
        return out


def test_tracks_follow_own_and_camera_motion_over_a_gap():
    results = Walk((0.5, 0.5, 0.5, 0.5)).results()
    results[1] = replace(results[1], objects=(), absence=Absence(Reason.HIDDEN, "hidden"))
    ids = [[o.track_id for o in r.objects] for r in track(results, [True, True, True, False])]
    assert ids == [[1], [], [1], [1]]
    assert [r.objects[0].track_id for r in track(Walk((0.5, 0.5)).results(), [False, False])] == [1, 2]


def test_unconfirmed_objects_are_left_out():
    follows = [True, True, True, False]
    kept = list(keep_supported(track(Walk((0.5, -0.6, 0.5, 0.5)).results(), follows), follows, 700.0))
    assert [len(r.objects) for r in kept] == [1, 0, 1, 1]
    assert (
        not kept[1].instances.any()
        and kept[1].absence.reason is Reason.UNCONFIRMED
        and "confirms" in kept[1].absence.detail
    )
    alone = list(keep_supported(track(Walk((0.5,)).results(), [False]), [False], 700.0))
    assert len(alone[0].objects) == 1


def test_what_swells_or_stays_behind_its_motion_is_left_out():
    follows = [True, True, True, False]

    def left(change) -> list[int]:
        results = [
            replace(r, objects=tuple(change(i, o) for o in r.objects))
            for i, r in enumerate(Walk((0.5, 0.5, 0.5, 0.5)).results())
        ]
        return [len(r.objects) for r in keep_supported(track(results, follows), follows, 700.0)]

    assert left(lambda i, o: o) == [1, 1, 1, 1]
    assert left(lambda i, o: replace(o, pixels=200 * 4**i)) == [0, 0, 0, 0]
    # its motion points the other way
    assert left(lambda i, o: replace(o, centroid_m=(-0.2 * i, *o.centroid_m[1:]))) == [0, 0, 0, 0]


def test_memory_does_not_grow_with_the_length_of_a_recording():
    live: list[int] = []

    def frames() -> Iterator[MotionResult]:
        for i in range(60):
            result = replace(Walk((0.5,)).results()[0], key=f"{i:06d}")
            live.append(i)
            weakref.finalize(result.instances, live.remove, i)
            yield result
            del result

    follows = [True] * 59 + [False]
    held = [len(live) for _ in keep_supported(track(frames(), follows), follows, 700.0)]
    assert len(held) == 60 and max(held) <= 8
