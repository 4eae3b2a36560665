"""Frames of recordings are chosen and prepared for training; what is on disk already stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cups_train.files import write_atomically
from cups_train.flow.dis import optical_flow
from cups_train.flow.sgm import disparity
from cups_train.folders.motion import read_instances
from cups_train.folders.semantics import frame_path
from cups_train.geometry.resize import resize
from cups_train.parallel import map_frames
from cups_train.picks import evenly_spaced
from cups_train.recording.recording import Recording
from cups_train.semantics.channels import CELL, image_channels, working_size
from cups_train.semantics.prepared import Prepared, save
from cups_train.semantics.shape import scene_shape
from cups_train.types import StereoFrame


@dataclass(frozen=True)
class ChosenFrame:
    """A frame that is to be prepared, and where it is kept."""

    recording: Recording
    key: str
    next_key: str | None
    path: Path
    motion: Path | None  # the recording's motion folder, where stage 1a has one


def choose_frames(recordings: Sequence[Recording], most: int, state: Path, motion: Path | None) -> list[ChosenFrame]:
    """At most `most` frames, evenly over all recordings; `motion` holds the motion folder NAME of each."""
    every = [(recording, i) for recording in recordings for i in range(len(recording.stamps))]
    return [_chosen(*every[i], state, motion) for i in evenly_spaced(len(every), most)]


def _chosen(recording: Recording, row: int, state: Path, motion: Path | None) -> ChosenFrame:
    stamp = recording.stamps[row]
    return ChosenFrame(
        recording,
        stamp.key,
        recording.stamps[row + 1].key if stamp.follows else None,
        frame_path(state, recording.name, stamp.key),
        None if motion is None else motion / recording.name,
    )


def prepare_all(chosen: Sequence[ChosenFrame], height: int, seed: int, workers: int) -> Iterator[Path]:
    """Prepare what is not on disk yet; gives every frame's file in order."""
    yield from map_frames(partial(_prepare_file, height=height, seed=seed), chosen, workers)


def _prepare_file(chosen: ChosenFrame, height: int, seed: int) -> Path:
    if not chosen.path.exists():
        now = chosen.recording.stereo(chosen.key)
        after = chosen.recording.left(chosen.next_key) if chosen.next_key is not None else None
        moving = None if chosen.motion is None or after is None else read_instances(chosen.motion, chosen.key) > 0
        frame = prepare(now, after, moving, height, np.random.default_rng([seed, int(chosen.key)]))
        write_atomically(chosen.path, lambda beside: save(beside, frame))
    return chosen.path


def prepare(
    now: StereoFrame, after: np.ndarray | None, moving: np.ndarray | None, height: int, rng: np.random.Generator
) -> Prepared:
    """Disparity and flow are found at working size. after: (H, W, 3) uint8, the next left image; moving: (H, W) bool;
    None: unknown."""
    h, w = working_size(now.left.shape[0], now.left.shape[1], height)
    left, right, following = (
        resize(image, h, w) for image in (now.left, now.right, now.left if after is None else after)
    )
    found, ok = disparity(left, right)
    cells = h // CELL, w // CELL
    shape, filled = scene_shape(np.where(ok, found, np.nan).astype(np.float32), now.camera.scaled(h, w), cells, rng)
    stereo = np.stack([-found, np.zeros_like(found)], -1)
    if after is None:
        flow, flow_ok = np.zeros((h, w, 2), np.float32), np.zeros((h, w), bool)
    else:
        flow, flow_ok = optical_flow(left, following)
    centre = slice(CELL // 2, None, CELL)
    shifts = np.stack([np.moveaxis(field[centre, centre], -1, 0) for field in (stereo, flow)])
    return Prepared(
        np.stack([left, right, following]),
        image_channels(left).astype(np.float16),
        shape.astype(np.float16),
        (filled * CELL).astype(np.float16),
        shifts.astype(np.float16),
        np.stack([ok[centre, centre], flow_ok[centre, centre]]),
        np.full(cells, -1, np.int8)
        if moving is None
        else (resize(moving.astype(np.float32), *cells) > 0.5).astype(np.int8),
    )
