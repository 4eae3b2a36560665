"""Where in the world the still pixels of each cluster lie: over the horizon, ahead, how high over the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import cv2
import numpy as np

from cups_train.files import read_image
from cups_train.flow.sgm import disparity
from cups_train.folders.motion import read_instances
from cups_train.folders.semantics import class_map_path
from cups_train.geometry.camera import pixel_grid
from cups_train.geometry.ground import Ground, find_ground
from cups_train.parallel import map_frames
from cups_train.picks import evenly_spaced
from cups_train.progress import progress
from cups_train.pseudo_label.sameness.frames import RecordingMaps, small_frame
from cups_train.types import StereoFrame

FRAMES = 32  # of all recordings together
FINITE = 2.0  # px of disparity: less may be infinitely far
MEASURED = 4.0  # px of disparity from which heights are good to a few decimetres
LANE = (1.0, 20.0)  # m to either side and ahead: there the camera's own vehicle is about to drive
ON_GROUND = 0.3  # m
EDGES = np.array([-0.5, -0.25, 0.08, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0])  # m over the ground
SPAN = 6  # px: surfaces are looked at over this distance
EVEN = 0.25  # px that the disparity of a plane may differ from the mean of its neighbours on either side


@dataclass(frozen=True, eq=False)
class Places:
    """Sums over frames whose ground is known, by cluster or class 0..K-1: still pixels, (K,) int64, but `heights`."""

    pixels: np.ndarray
    over_horizon: np.ndarray
    finite: np.ndarray  # surely not infinitely far
    in_lane: np.ndarray  # on the ground that the camera is about to drive on
    even: np.ndarray  # measured, and on a plane
    heights: np.ndarray  # (K, len(EDGES) + 1) int64: measured, by height over the ground

    @classmethod
    def nothing(cls, k: int) -> Places:
        return cls(
            *(np.zeros((k, len(EDGES) + 1) if field.name == "heights" else k, np.int64) for field in fields(cls))
        )

    def __add__(self, other: Places) -> Places:
        return Places(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def joined(self, class_of: Sequence[int], classes: int) -> Places:
        """Of the classes 1..`classes` that clusters became."""
        total = Places.nothing(classes)
        for field in fields(self):
            np.add.at(getattr(total, field.name), np.array(class_of) - 1, getattr(self, field.name))
        return total


def places_of(sources: Sequence[RecordingMaps], k: int, workers: int) -> Places:
    """Of a sample of all recordings; k: number of clusters in their maps."""
    every = [(source, stamp.key) for source in sources for stamp in source.recording.stamps]
    chosen, total = [every[i] for i in evenly_spaced(len(every), FRAMES)], Places.nothing(k)
    for found in progress(
        map_frames(partial(_places_of_frame, k), chosen, min(workers, len(chosen))), "places", len(chosen)
    ):
        total += found
    return total


def _places_of_frame(k: int, item: tuple[RecordingMaps, str]) -> Places:
    source, key = item
    frame = small_frame(source.recording.stereo(key))
    clusters, instances = read_image(class_map_path(source.semantics, key)), read_instances(source.motion, key)
    height, width = frame.left.shape[:2]
    small, moving = (
        cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        for ids in (clusters.astype(np.uint8), (instances > 0).astype(np.uint8))
    )
    return find_places(frame, np.where(moving > 0, 0, small), k)


def find_places(frame: StereoFrame, ids: np.ndarray, k: int) -> Places:
    """ids: (H, W) 1..k of still pixels, 0 elsewhere. Nothing where no ground is found."""
    found, ok = disparity(frame.left, frame.right)
    ground = find_ground(frame.camera, found, ok, np.random.default_rng(0))
    if ground is None:
        return Places.nothing(k)
    over, measured = ground.height_over(frame.camera, found), ok & (found > MEASURED) & (ids > 0)
    bins = (ids[measured].astype(np.int64) - 1) * (len(EDGES) + 1) + np.searchsorted(
        EDGES, over[measured], side="right"
    )

    def count(where: np.ndarray) -> np.ndarray:
        return np.bincount(ids[where & (ids > 0)], minlength=k + 1)[1:]

    return Places(
        count(ids > 0),
        count(ground.disparity(frame.camera, ids.shape) <= 0),
        count(ok & (found > FINITE)),
        count(_in_lane(frame, ground, found) & measured),
        count(_even(found, ok) & measured),
        np.bincount(bins, minlength=k * (len(EDGES) + 1)).reshape(k, -1),
    )


def _in_lane(frame: StereoFrame, ground: Ground, found: np.ndarray) -> np.ndarray:
    """(H, W) bool."""
    u, _ = pixel_grid(*found.shape)
    ahead = frame.camera.depth_scale / np.maximum(found, 1e-3)
    aside = (u - frame.camera.cx) / frame.camera.fx * ahead
    return np.asarray(
        (np.abs(aside) < LANE[0]) & (ahead < LANE[1]) & (np.abs(ground.height_over(frame.camera, found)) < ON_GROUND)
    )


def _even(found: np.ndarray, ok: np.ndarray) -> np.ndarray:
    """(H, W) bool: on a plane, along rows."""
    left, right = (np.roll(found, shift, axis=1) for shift in (SPAN, -SPAN))
    sure = ok & np.roll(ok, SPAN, axis=1) & np.roll(ok, -SPAN, axis=1)
    return np.asarray(sure & (np.abs(left + right - 2 * found) < 2 * EVEN))
