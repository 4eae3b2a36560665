"""Recordings that are pictures in memory, and what motion and semantics leave of one on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from cups_ros.types import Classes, PseudoClass
from cups_train.folders.semantics import EncoderFile, write_encoder
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(height=64, width=128, fx=100.0, fy=100.0, cx=63.5, cy=31.5, baseline=0.5)


torch.set_num_threads(1)  # of fixtures too that last longer than a test


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def texture(seed: int, height: int = 64, width: int = 128) -> np.ndarray:
    """A random picture with structure at several sizes, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for size in (2, 4, 16):
        block = rng.uniform(0, 85, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        total += np.repeat(np.repeat(block, size, 0), size, 1)[:height, :width]
    return total.astype(np.uint8)


class Street:
    """A recording of road below and wall above, 6 m away: everything shifts by whole pixels between the views."""

    def __init__(self, name: str = "street", frames: int = 3) -> None:
        self.name, self.fingerprint, self.camera = name, f"{name}:{frames}", CAMERA
        self.stamps = tuple(_Stamp(f"{i:06d}", i * 100_000_000, i + 1 < frames) for i in range(frames))

    def stereo(self, key: str) -> StereoFrame:
        i = int(key)
        wide = texture(7, 64, 256)
        wide[40:] = (90 + texture(8, 24, 256) // 16).astype(np.uint8)
        wide[:16] = (150, 180, 230)
        return StereoFrame(
            key, i * 100_000_000, wide[:, 2 * i : 2 * i + 128].copy(), wide[:, 2 * i + 8 : 2 * i + 136].copy(), CAMERA
        )

    def left(self, key: str) -> np.ndarray:
        return self.stereo(key).left

    def frames(self):
        for stamp in self.stamps:
            yield self.stereo(stamp.key)


class _Stamp:
    def __init__(self, key: str, stamp_ns: int, follows: bool) -> None:
        self.key, self.stamp_ns, self.follows = key, stamp_ns, follows


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture(scope="session")
def make_street() -> type[Street]:
    return Street


@pytest.fixture(scope="session")
def camera() -> StereoCamera:
    return CAMERA


K = 6  # classes 1 road, 2 wall, 3 sky, 4 tree; 5 body and 6 window of what moves
HEIGHT, WIDTH = 48, 80


@dataclass(frozen=True)
class FakeStamp:
    key: str
    stamp_ns: int
    follows: bool


@dataclass(frozen=True)
class FakeRecording:
    """As much of a recording as this stage asks for."""

    name: str
    stamps: tuple[FakeStamp, ...]
    camera: StereoCamera = StereoCamera(HEIGHT, WIDTH, 100.0, 100.0, WIDTH / 2, HEIGHT / 2, 0.5)
    step_ns: int = 100_000_000

    def left(self, key: str) -> np.ndarray:
        return np.full((HEIGHT, WIDTH, 3), int(key) % 256, np.uint8)

    @property
    def stereo(self) -> Callable[[str], StereoFrame]:
        """Key -> a pair in which nothing has a disparity."""
        grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        return partial(StereoFrame, stamp_ns=0, left=grey, right=grey, camera=self.camera)

    def __reduce__(self) -> tuple[object, ...]:
        """A worker, which cannot import this module, gets a plain record."""
        return partial(SimpleNamespace, name=self.name, stereo=self.stereo), ()


@pytest.fixture
def write_inputs(tmp_path: Path) -> Callable[..., FakeRecording]:
    """(name, frames, moving) -> a recording whose motion and semantics lie in tmp_path/motion/NAME and
    tmp_path/semantics/NAME."""

    def write(name: str = "drive", frames: int = 12, moving: int = 9) -> FakeRecording:
        (tmp_path / "motion" / name / "instances").mkdir(parents=True)
        (tmp_path / "semantics" / name).mkdir(parents=True)
        write_encoder(tmp_path / "semantics", EncoderFile({"spec": {"classes": K}, "cells": None}, {}, {}))
        rows, stamps = [], []
        for n in range(frames):
            key, class_map, instances = f"{n:06d}", *street_maps(n, n < moving)
            cv2.imwrite(str(tmp_path / "semantics" / name / f"{key}.png"), class_map)
            cv2.imwrite(str(tmp_path / "motion" / name / "instances" / f"{key}.png"), instances)
            objects = [
                {
                    "id": i,
                    "track_id": 40 + i,
                    "score": 0.75,
                    "pixels": int((instances == i).sum()),
                    "transform": np.eye(4).tolist(),
                    "centroid_m": [0, 1, 10],
                    "source": "residual",
                }
                for i in np.unique(instances[instances > 0]).tolist()
            ]
            rows.append(
                {
                    "key": key,
                    "stamp_ns": 1000 + n,
                    "ego": None,
                    "objects": objects,
                    "reason": None if objects else "nothing moves",
                    "reason_code": None if objects else "nothing_moves",
                }
            )
            stamps.append(FakeStamp(key, 1000 + n, n + 1 < frames))
        (tmp_path / "motion" / name / "motion.json").write_text(json.dumps({"frames": rows}))
        return FakeRecording(name, tuple(stamps))

    return write


def street_maps(n: int, moving: bool) -> tuple[np.ndarray, np.ndarray]:
    """Four bands of stuff, a car (body 5, window 6) that moves in some frames, and a parked one that never does."""
    class_map = np.repeat(np.array([3, 4, 2, 1], np.uint8), HEIGHT // 4)[:, None] * np.ones((1, WIDTH), np.uint8)
    instances = np.zeros((HEIGHT, WIDTH), np.uint16)
    left = 12 + 2 * (n % 8)
    class_map[28:40, left : left + 20] = 5
    class_map[29:34, left + 3 : left + 17] = 6
    class_map[30:38, 60:70] = 5
    if moving:
        instances[27:41, left - 1 : left + 21] = 300
    return class_map, instances


def numbered_classes(things: tuple[int, ...] = (2, 4), count: int = 4) -> Classes:
    colors = [(40 * i % 256, 90, 255 - 40 * i % 256) for i in range(1, count + 1)]
    return Classes(tuple(PseudoClass(i, f"c{i}", i in things, color) for i, color in enumerate(colors, 1)))


@pytest.fixture(scope="session")
def make_classes() -> Callable[..., Classes]:
    """(things, count) -> classes c1, c2, ...: four, of which 2 and 4 are things, where nothing else is said."""
    return numbered_classes


@pytest.fixture
def figures() -> Callable[..., dict[str, Any]]:
    """PQ -> one row of metrics.json."""

    def row(pq: float, ap50: float | None = 0.5) -> dict[str, Any]:
        parts = {"things": {"pq": 0.125}, "stuff": {"pq": 0.25}}
        return {"pq": pq, "sq": 0.7, "rq": 0.6, **parts, "acc": 0.8, "miou": 0.4, "ap50": ap50, "per_class": []}

    return row
