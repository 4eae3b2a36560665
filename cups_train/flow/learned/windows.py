"""What training needs of one frame, computed once and kept on disk: a window of its images with the classical guesses;
and crops of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cups_train.files import write_atomically
from cups_train.flow.classical import ClassicalMatcher
from cups_train.flow.learned.guess import guess
from cups_train.parallel import map_frames
from cups_train.picks import evenly_spaced
from cups_train.recording import Recording
from cups_train.types import Work

FRAMES = 200  # most frames that are kept, about 5 MB each
LARGEST = (320, 640)  # px, of a window


@dataclass(frozen=True, eq=False)
class Window:
    """A part of one frame (h, w) with its guesses."""

    images: np.ndarray  # (2, h, w, 3) uint8 RGB: left, next left
    guesses: np.ndarray  # (2, h, w, 2) float16 px, onward and back
    trips: np.ndarray  # (2, h, w) float16 px, their round trips


@dataclass(frozen=True)
class Pair:
    """A frame and its next one, and where its window is kept."""

    recording: Recording
    key: str
    next_key: str
    path: Path


@dataclass(frozen=True, eq=False)
class Batch:
    """Both directions of some pairs; item i + B/2 is the way back of item i."""

    first: Tensor  # (B, 3, h, w) float RGB in [0, 1]
    second: Tensor
    guess: Tensor  # (B, 2, h, w) px
    trip: Tensor  # (B, 1, h, w) px

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, name).to(device) for name in ("first", "second", "guess", "trip")))

    def crop(self, top: int, left: int, height: int, width: int) -> Batch:
        cut = (..., slice(top, top + height), slice(left, left + width))
        return replace(self, first=self.first[cut], second=self.second[cut], guess=self.guess[cut], trip=self.trip[cut])


def choose(recordings: Sequence[Recording], folder: Path) -> list[Pair]:
    """At most FRAMES frames with a next one, evenly over all recordings."""
    every = [(r, s.key, r.stamps[i + 1].key) for r in recordings for i, s in enumerate(r.stamps) if s.follows]
    return [
        Pair(r, key, after, folder / r.name / f"{key}.npz")
        for r, key, after in (every[i] for i in evenly_spaced(len(every), FRAMES))
    ]


def prepare(pairs: Sequence[Pair], max_disparity: float, work: Work) -> Iterator[Path]:
    """Make the windows that are not on disk yet; gives every file in order."""
    yield from map_frames(partial(_prepare, max_disparity=max_disparity, seed=work.seed), pairs, work.workers)


def _prepare(pair: Pair, max_disparity: float, seed: int) -> Path:
    if not pair.path.exists():
        matcher = ClassicalMatcher(max_disparity)
        now, after = pair.recording.stereo(pair.key), pair.recording.stereo(pair.next_key)
        matcher.hold(now, after)
        both_ways = [guess(matcher, now, after), guess(matcher, after, now)]
        rng = np.random.default_rng([seed, 7, int(pair.key)])
        size = now.left.shape[:2]
        top, left = (int(rng.integers(0, max(0, whole - part) + 1)) for whole, part in zip(size, LARGEST, strict=True))
        cut = slice(top, top + LARGEST[0]), slice(left, left + LARGEST[1])
        window = Window(
            np.stack([image[cut] for image in (now.left, after.left)]),
            *(np.stack([way[i][cut] for way in both_ways]).astype(np.float16) for i in (0, 1)),
        )
        write_atomically(pair.path, partial(_save, window=window))
    return pair.path


def _save(path: Path, window: Window) -> None:
    with path.open("wb") as file:
        np.savez(file, images=window.images, guesses=window.guesses, trips=window.trips)


@lru_cache(maxsize=256)
def load(path: Path) -> Window:
    with np.load(path, allow_pickle=False) as arrays:
        return Window(arrays["images"], arrays["guesses"], arrays["trips"])


def make_batch(windows: Sequence[Window], crop: tuple[int, int], rng: np.random.Generator) -> Batch:
    """Random crops, mirrored half the time, both directions of each. Crops are cut from guesses and images alike: ends
    may lie outside."""
    parts = [_crop(window, crop, rng) for window in windows]
    first, second, field, trip = (
        np.concatenate([np.stack([part[way][i] for part in parts]) for way in (0, 1)]) for i in range(4)
    )
    a, b = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 for images in (first, second))
    return Batch(
        a, b, torch.from_numpy(field).permute(0, 3, 1, 2).float().contiguous(), torch.from_numpy(trip)[:, None].float()
    )


Part = list[list[np.ndarray]]  # for both directions: images from and to, guess, round trip


def _crop(window: Window, crop: tuple[int, int], rng: np.random.Generator) -> Part:
    size = window.images.shape[1:3]
    height, width = (min(part, whole) for part, whole in zip(crop, size, strict=True))
    top, left = int(rng.integers(0, size[0] - height + 1)), int(rng.integers(0, size[1] - width + 1))
    cut = slice(top, top + height), slice(left, left + width)
    mirror, ways = rng.random() < 0.5, Part()
    for way in (0, 1):
        a, b = window.images[way][cut], window.images[1 - way][cut]
        field, trip = window.guesses[way][cut], window.trips[way][cut]
        if mirror:
            a, b, field, trip = (x[:, ::-1] for x in (a, b, field * np.array([-1, 1], np.float16), trip))
        ways.append([a, b, field, trip])
    return ways
