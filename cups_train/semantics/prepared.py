"""What training needs of one frame, computed once and kept on disk: images, channels, correspondences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_train.types import StereoCamera


@dataclass(frozen=True, eq=False)
class Prepared:
    """One frame at working size (h, w); cells are 4 x 4 px."""

    images: np.ndarray  # (3, h, w, 3) uint8 RGB: left, right, next left (the left again where none follows)
    channels: np.ndarray  # (29, h/4, w/4) float16, image_channels of the left image
    shape: np.ndarray  # (SHAPE, h/4, w/4) float16, shape channels
    disparity: np.ndarray  # (h/4, w/4) float16, working px, filled; 0 = infinitely far
    # (2, 2, h/4, w/4) float16 working px (u, v): from the left image to the right one and to the next left one
    shifts: np.ndarray
    shifts_ok: np.ndarray  # (2, h/4, w/4) bool
    moving: np.ndarray  # (h/4, w/4) int8: 1 in moving objects, 0 elsewhere, -1 unknown


@dataclass(frozen=True)
class PreparedFrames:
    """The frames on disk that are learned from."""

    paths: tuple[Path, ...]
    cameras: tuple[StereoCamera, ...]  # of each frame's recording, at its size


def save(path: Path, frame: Prepared) -> None:
    with path.open("wb") as file:
        np.savez(file, **{name: getattr(frame, name) for name in Prepared.__dataclass_fields__})


def load(path: Path) -> Prepared:
    with np.load(path, allow_pickle=False) as arrays:
        return Prepared(**{name: arrays[name] for name in Prepared.__dataclass_fields__})
