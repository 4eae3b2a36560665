"""What training needs of one frame, computed once and kept on disk: images, channels, correspondences."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cups_train.files import read_image, write_atomically
from cups_train.flow.dis import optical_flow
from cups_train.flow.sgm import disparity
from cups_train.parallel import map_frames
from cups_train.picks import evenly_spaced
from cups_train.recording import Recording
from cups_train.semantics.channels import CELL, image_channels, resize, working_size
from cups_train.semantics.shape import scene_shape
from cups_train.types import StereoFrame


@dataclass(frozen=True, eq=False)
class Prepared:
    """One frame at working size (h, w); cells are 4 x 4 px."""

    images: np.ndarray  # (3, h, w, 3) uint8 RGB: left, right, next left (the left again where none follows)
    channels: np.ndarray  # (29, h/4, w/4) float16, image_channels of the left image
    shape: np.ndarray  # (SHAPE, h/4, w/4) float16, shape channels
    disparity: np.ndarray  # (h/4, w/4) float16, working px, filled; 0 = infinitely far
    shifts: np.ndarray  # (2, 2, h/4, w/4) float16 working px (u, v): from the left image to the right one and to the next left one
    shifts_ok: np.ndarray  # (2, h/4, w/4) bool
    moving: np.ndarray  # (h/4, w/4) int8: 1 in moving objects, 0 elsewhere, -1 unknown


@dataclass(frozen=True)
class Source:
    """A frame that is to be prepared, and where it is kept."""

    recording: Recording
    key: str
    next_key: str | None
    path: Path
    instances: Path | None  # map of moving objects, where stage 1a has one


def choose_frames(recordings: Sequence[Recording], most: int, folder: Path, motion: Path | None) -> list[Source]:
    """At most `most` frames, evenly over all recordings; `motion` holds NAME/instances/KEY.png."""
    every = [(r, s.key, r.stamps[i + 1].key if s.follows else None) for r in recordings for i, s in enumerate(r.stamps)]
    return [Source(recording, key, after, folder / recording.name / f"{key}.npz",
                   None if motion is None else motion / recording.name / "instances" / f"{key}.png")
            for recording, key, after in (every[i] for i in evenly_spaced(len(every), most))]


def prepare_all(sources: Sequence[Source], height: int, seed: int, workers: int) -> Iterator[Path]:
    """Prepare what is not on disk yet; gives every source's file in order."""
    yield from map_frames(partial(_prepare_file, height=height, seed=seed), sources, workers)


def _prepare_file(source: Source, height: int, seed: int) -> Path:
    if not source.path.exists():
        now = source.recording.stereo(source.key)
        after = source.recording.left(source.next_key) if source.next_key is not None else None
        moving = None if source.instances is None or after is None else read_image(source.instances) > 0
        frame = prepare(now, after, moving, height, np.random.default_rng([seed, int(source.key)]))
        write_atomically(source.path, lambda beside: save(beside, frame))
    return source.path


def prepare(now: StereoFrame, after: np.ndarray | None, moving: np.ndarray | None, height: int, rng: np.random.Generator) -> Prepared:
    """Disparity and flow are found at working size. `moving`: (H, W) bool or unknown."""
    h, w = working_size(now.left.shape[0], now.left.shape[1], height)
    left, right, following = (resize(image, h, w) for image in (now.left, now.right, now.left if after is None else after))
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
    return Prepared(np.stack([left, right, following]), image_channels(left).astype(np.float16), shape.astype(np.float16),
                    (filled * CELL).astype(np.float16), shifts.astype(np.float16), np.stack([ok[centre, centre], flow_ok[centre, centre]]),
                    np.full(cells, -1, np.int8) if moving is None else (resize(moving.astype(np.float32), *cells) > 0.5).astype(np.int8))


def save(path: Path, frame: Prepared) -> None:
    with path.open("wb") as file:
        np.savez(file, **{name: getattr(frame, name) for name in Prepared.__dataclass_fields__})


def load(path: Path) -> Prepared:
    with np.load(path, allow_pickle=False) as arrays:
        return Prepared(**{name: arrays[name] for name in Prepared.__dataclass_fields__})
