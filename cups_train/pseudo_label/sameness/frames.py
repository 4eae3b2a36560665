"""Frames of recordings as evidence of sameness is gathered from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from cups_train.files import read_image
from cups_train.flow.sgm import disparity
from cups_train.folders.motion import read_instances
from cups_train.folders.semantics import class_map_path
from cups_train.geometry.ground import find_ground
from cups_train.geometry.resize import resize
from cups_train.parallel import map_frames
from cups_train.progress import progress
from cups_train.pseudo_label.sameness.evidence import Evidence, SeenFrame, choose_runs, gather
from cups_train.recording.recording import Recording
from cups_train.types import StereoFrame

WIDEST = 640  # px: wider images are looked at in this width
DISPARITY_ERROR = 0.25  # px
HEIGHT_ERROR = 0.03  # m: less certain heights cannot tell a kerb
HEIGHT_EVERY = 4  # frames: heights need fewer of them than transitions


@dataclass(frozen=True)
class RecordingMaps:
    """Where the maps of one recording's frames are."""

    recording: Recording
    motion: Path  # the recording's motion folder
    semantics: Path  # the recording's folder of class maps


def evidence_of(sources: Sequence[RecordingMaps], k: int, workers: int) -> Evidence:
    """Evidence of a sample of all recordings; k: number of clusters in their maps."""
    runs = choose_runs([[stamp.follows for stamp in source.recording.stamps] for source in sources])
    work = [
        (sources[number], [stamp.key for stamp in sources[number].recording.stamps[start : start + length]])
        for number, start, length in runs
    ]
    total = Evidence.nothing(k)
    for found in progress(
        map_frames(partial(_evidence_of_run, k), work, min(workers, len(work))), "sameness", len(work)
    ):
        total += found
    return total


def _evidence_of_run(k: int, item: tuple[RecordingMaps, list[str]]) -> Evidence:
    source, keys = item
    return gather(
        [
            seen_frame(
                source.recording.stereo(key),
                read_image(class_map_path(source.semantics, key)),
                read_instances(source.motion, key),
                number % HEIGHT_EVERY == 0,
            )
            for number, key in enumerate(keys)
        ],
        k,
    )


def seen_frame(frame: StereoFrame, clusters: np.ndarray, instances: np.ndarray, with_height: bool) -> SeenFrame:
    """clusters, instances: (H, W) ids of the left image."""
    seen = small_frame(frame)
    h, w = seen.left.shape[:2]
    moving = cv2.resize((instances > 0).astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    small = cv2.resize(clusters.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST_EXACT)
    return SeenFrame(
        seen.left, small, moving, sure_height(seen) if with_height else np.full((h, w), np.nan, np.float32)
    )


def small_frame(frame: StereoFrame) -> StereoFrame:
    """The frame at most WIDEST wide."""
    height, width = frame.left.shape[:2]
    scale = min(1.0, WIDEST / width)
    h, w = round(scale * height), round(scale * width)
    return StereoFrame(
        frame.key, frame.stamp_ns, resize(frame.left, h, w), resize(frame.right, h, w), frame.camera.scaled(h, w)
    )


def sure_height(frame: StereoFrame) -> np.ndarray:
    """(H, W) float32 m over the ground; NaN where it is unknown or less certain than HEIGHT_ERROR, and everywhere
    without a ground."""
    found, ok = disparity(frame.left, frame.right)
    ground = find_ground(frame.camera, found, ok, np.random.default_rng(0))
    if ground is None:
        return np.full(found.shape, np.nan, np.float32)
    sure = ok & (found > ground.height * DISPARITY_ERROR / HEIGHT_ERROR)
    return np.where(sure, ground.height_over(frame.camera, found), np.nan).astype(np.float32)
