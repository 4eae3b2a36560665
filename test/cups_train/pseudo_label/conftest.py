"""A recording of small maps on disk: what motion and semantics leave behind."""
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.types import StereoCamera

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
    camera: StereoCamera = StereoCamera(WIDTH, HEIGHT, 100.0, 100.0, WIDTH / 2, HEIGHT / 2, 0.5)
    step_ns: int = 100_000_000

    def left(self, key: str) -> np.ndarray:
        return np.full((HEIGHT, WIDTH, 3), int(key) % 256, np.uint8)


@pytest.fixture
def write_inputs(tmp_path: Path) -> Callable[..., FakeRecording]:
    """(name, frames, moving) -> a recording whose motion and semantics lie in tmp_path/motion/NAME and tmp_path/semantics/NAME."""

    def write(name: str = "drive", frames: int = 12, moving: int = 9) -> FakeRecording:
        (tmp_path / "motion" / name / "instances").mkdir(parents=True)
        (tmp_path / "semantics" / name).mkdir(parents=True)
        rows, stamps = [], []
        for n in range(frames):
            key, class_map, instances = f"{n:06d}", *street(n, n < moving)
            cv2.imwrite(str(tmp_path / "semantics" / name / f"{key}.png"), class_map)
            cv2.imwrite(str(tmp_path / "motion" / name / "instances" / f"{key}.png"), instances)
            objects = [{"id": i, "track_id": 40 + i, "score": 0.75, "pixels": int((instances == i).sum()), "transform": np.eye(4).tolist(),
                        "centroid_m": [0, 1, 10], "source": "residual"} for i in np.unique(instances[instances > 0]).tolist()]
            rows.append({"key": key, "stamp_ns": 1000 + n, "ego": None, "objects": objects, "reason": None if objects else "nothing moves"})
            stamps.append(FakeStamp(key, 1000 + n, n + 1 < frames))
        (tmp_path / "motion" / name / "motion.json").write_text(json.dumps({"frames": rows}))
        return FakeRecording(name, tuple(stamps))

    return write


def street(n: int, moving: bool) -> tuple[np.ndarray, np.ndarray]:
    """Four bands of stuff, a car (body 5, window 6) that moves in some frames, and a parked one that never does."""
    class_map = np.repeat(np.array([3, 4, 2, 1], np.uint8), HEIGHT // 4)[:, None] * np.ones((1, WIDTH), np.uint8)
    instances = np.zeros((HEIGHT, WIDTH), np.uint16)
    left = 12 + 2 * (n % 8)
    class_map[28:40, left:left + 20] = 5
    class_map[29:34, left + 3:left + 17] = 6
    class_map[30:38, 60:70] = 5
    if moving:
        instances[27:41, left - 1:left + 21] = 300
    return class_map, instances
