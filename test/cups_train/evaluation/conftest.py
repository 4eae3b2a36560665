"""Small result folders written for the tests, and the shared data where there is any."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[3]
NAMES = ("road", "building", "sky", "vegetation", "alley", "car", "person", "bicycle", "robot")  # from "car" on: things


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data and tools outside the repository: CUPS_SHARED or ../shared."""
    folder = Path(os.environ.get("CUPS_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data" / "pq_testdata").is_dir():
        pytest.skip(f"no reference data in {folder} (CUPS_SHARED names its folder)")
    return folder


@pytest.fixture
def write_folder() -> Callable[..., Path]:
    return _write_folder


@pytest.fixture
def random_pair() -> Callable[..., tuple[Path, Path]]:
    return _random_pair


def _write_folder(
    folder: Path, images: dict[str, tuple[np.ndarray, list[dict[str, Any]]]], categories: list[tuple[int, str, int]]
) -> Path:
    """`images`: key -> (H, W) segment ids and rows {"id", "category_id", ...}; `categories`: id, name, isthing."""
    (folder / "panoptic").mkdir(parents=True)
    for key, (ids, _) in images.items():
        bgr = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1).astype(np.uint8)
        cv2.imwrite(str(folder / "panoptic" / f"{key}.png"), bgr)
    (folder / "panoptic.json").write_text(
        json.dumps(
            {
                "images": [{"id": n, "file_name": f"{key}.png"} for n, key in enumerate(images)],
                "annotations": [
                    {"image_id": n, "file_name": f"{key}.png", "segments_info": rows}
                    for n, (key, (_, rows)) in enumerate(images.items())
                ],
                "categories": [
                    {"id": c, "name": name, "isthing": thing, "color": [c, c, c]} for c, name, thing in categories
                ],
                "info": {},
            }
        )
    )
    return folder


def _random_pair(folder: Path, rng: np.random.Generator, pseudo: int = 14, images: int = 3) -> tuple[Path, Path]:
    """A truth of rectangles with void and crowd, and a result that is the truth shifted, relabelled and cut."""
    truth, result = {}, {}
    wanted = [int(rng.integers(1, pseudo + 1)) for _ in NAMES]
    for n in range(images):
        ids, classes = _random_map(rng)
        truth[f"{n:06d}"] = (
            ids,
            [{"id": i, "category_id": c, "iscrowd": int(c >= 6 and rng.random() < 0.2)} for i, c in classes.items()],
        )
        shifted = np.roll(ids, rng.integers(-2, 3, 2), axis=(0, 1))
        other, other_classes = _random_map(rng)
        mixed = np.where(_patches(rng, 0.8), shifted, other + 70000 * (other > 0))
        mixed[_patches(rng, 0.15)] = 0
        kinds = {i: wanted[c - 1] for i, c in classes.items()} | {
            i + 70000: wanted[c - 1] for i, c in other_classes.items()
        }
        result[f"{n:06d}"] = (
            mixed,
            [
                {"id": i, "category_id": c, "iscrowd": 0, "score": float(rng.integers(0, 6)) / 5}
                for i, c in kinds.items()
                if (mixed == i).any()
            ],
        )
    _write_folder(folder / "truth", truth, [(n + 1, name, int(n >= 5)) for n, name in enumerate(NAMES)])
    _write_folder(folder / "result", result, [(c, f"class_{c:02d}", int(c % 2)) for c in range(1, pseudo + 1)])
    return folder / "result", folder / "truth"


def _patches(rng: np.random.Generator, share: float) -> np.ndarray:
    return np.kron(rng.random((3, 4)) < share, np.ones((16, 16), bool))


def _random_map(rng: np.random.Generator) -> tuple[np.ndarray, dict[int, int]]:
    ids, classes = np.zeros((48, 64), np.int64), {}
    for segment in rng.choice(np.arange(1, 70000), 9, replace=False).tolist():
        top, left = rng.integers(0, 40), rng.integers(0, 50)
        ids[top : top + rng.integers(6, 30), left : left + rng.integers(6, 40)] = segment
        kind = int(rng.integers(1, len(NAMES) + 1))
        if kind <= 5 and kind in classes.values():
            kind = 6
        classes[segment] = kind
    return ids, {s: c for s, c in classes.items() if (ids == s).any()}
