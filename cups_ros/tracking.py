"""Ids of instances that stay the same from image to image: boxes that move evenly, matched by overlap within a class.
No ROS."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from cups_ros.boxes import Corners, iou
from cups_ros.types import Panoptic, Segment

LARGEST_ID = 2**32 - 1  # SegmentInfo.track_id is a uint32
SMOOTHING = 0.5  # share of a new speed in a track's speed
LONGEST_STEP_S = 1.0  # after a longer silence nothing is where it was


@dataclass(frozen=True, eq=False)
class Track:
    """One object that is followed; the box is x1, y1, x2, y2 [px], its speed [px/s] side by side with it."""

    id: int
    class_id: int
    box: np.ndarray  # (4,) float64, where it was seen last
    speed: np.ndarray  # (4,) float64
    stamp_ns: int  # when it was seen last
    missed: int = 0  # images since

    def at(self, stamp_ns: int) -> np.ndarray:
        """(4,) the box expected at a time."""
        return self.box + self.speed * (stamp_ns - self.stamp_ns) * 1e-9


class Tracker:
    """Gives instances their track_id; one image after the other."""

    def __init__(self, min_iou: float, max_missed: int) -> None:
        self._min_iou, self._max_missed = min_iou, max_missed
        self._tracks: tuple[Track, ...] = ()
        self._next_id = 1
        self._stamp_ns: int | None = None

    def reset(self) -> None:
        """Forget all tracks; ids go on, so that no id names two objects."""
        self._tracks, self._stamp_ns = (), None

    def update(self, panoptic: Panoptic, stamp_ns: int) -> Panoptic:
        """The same map, its instances with a track_id. A stamp that goes back, or far ahead, ends all tracks."""
        if self._stamp_ns is not None and not 0 <= stamp_ns - self._stamp_ns <= LONGEST_STEP_S * 1e9:
            self.reset()
        self._stamp_ns = stamp_ns
        things = [segment for segment in panoptic.segments if segment.is_instance]
        boxes = np.array([corners(segment) for segment in things], float).reshape(-1, 4)
        expected = np.array([track.at(stamp_ns) for track in self._tracks]).reshape(-1, 4)
        same = np.array(
            [[track.class_id == thing.class_id for thing in things] for track in self._tracks], bool
        ).reshape(len(expected), len(boxes))
        pairs = assign(np.where(same, iou(expected, boxes), 0.0), self._min_iou)
        ids = self._follow(things, boxes, pairs, stamp_ns)
        segments = tuple(
            replace(segment, track_id=ids[segment.instance_id]) if segment.is_instance else segment
            for segment in panoptic.segments
        )
        return Panoptic(panoptic.class_id, panoptic.instance_id, segments)

    def _follow(self, things: list[Segment], boxes: np.ndarray, pairs: dict[int, int], stamp_ns: int) -> dict[int, int]:
        """Carry the tracks on, begin new ones; boxes: (N, 4) -> instance id: track id."""
        tracks, ids = [], {}
        of_thing = {thing: track for track, thing in pairs.items()}
        for number, thing in enumerate(things):
            box = boxes[number]
            if number in of_thing:
                track = _seen(self._tracks[of_thing[number]], box, stamp_ns)
            else:
                track = Track(self._new_id(), thing.class_id, box, np.zeros(4), stamp_ns)
            tracks.append(track)
            ids[thing.instance_id] = track.id
        missed = [
            replace(track, missed=track.missed + 1) for number, track in enumerate(self._tracks) if number not in pairs
        ]
        self._tracks = (*tracks, *(track for track in missed if track.missed <= self._max_missed))
        return ids

    def _new_id(self) -> int:
        number = self._next_id
        self._next_id = number % LARGEST_ID + 1
        return number


def corners(segment: Segment) -> Corners:
    """x1, y1, x2, y2 of a segment [px]."""
    x, y, width, height = segment.bbox
    return x, y, x + width, y + height


def assign(overlaps: np.ndarray, least: float) -> dict[int, int]:
    """(N, M) overlaps -> row: column of the one-to-one pairs with the largest sum (Hungarian method), those below
    `least` left out."""
    # an impossible pair is worth as much as none
    rows, columns = linear_sum_assignment(np.where(overlaps >= least, -overlaps, 0.0))
    return {
        row: column
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if overlaps[row, column] >= least
    }


def _seen(track: Track, box: np.ndarray, stamp_ns: int) -> Track:
    """The track after its object was seen in `box`, (4,)."""
    seconds = (stamp_ns - track.stamp_ns) * 1e-9
    if seconds <= 0:
        return replace(track, box=box, missed=0)
    measured = (box - track.box) / seconds
    first = not track.speed.any()
    speed = measured if first else SMOOTHING * measured + (1 - SMOOTHING) * track.speed
    return Track(track.id, track.class_id, box, speed, stamp_ns)
