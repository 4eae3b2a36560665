"""Toy frames: coloured boxes on grey ground under a blue sky, labels made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from cups_train.bootstrap import LabelledRecordings
from cups_train.files import write_image, write_json
from cups_train.types import StereoCamera


@dataclass(frozen=True, eq=False)
class ToyRecording:
    name: str
    size: tuple[int, int]
    frames: int = 4
    fingerprint: str = "toy"
    camera: StereoCamera = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "camera",
            StereoCamera(self.size[0], self.size[1], 100.0, 100.0, self.size[1] / 2, self.size[0] / 2, 0.5),
        )

    def draw(self, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, class map, instance map; the last frame has no object."""
        rng, (height, width) = np.random.default_rng(int(key)), self.size
        image = np.full((height, width, 3), 110, np.uint8)
        classes, instances = np.full((height, width), 3, np.uint8), np.zeros((height, width), np.uint16)
        image[: height // 3], classes[: height // 3] = (90, 140, 250), 1
        for number in range(1, 3 if int(key) < self.frames - 1 else 1):
            side, kind = int(rng.integers(height // 4, height // 2)), 2 * number
            top, left = int(rng.integers(height - side)), int(rng.integers(width - side))
            window = slice(top, top + side), slice(left, left + side)
            image[window], classes[window], instances[window] = (
                (250, 40, 40) if kind == 2 else (40, 250, 40),
                kind,
                number * 300,
            )
        return image, classes, instances

    def left(self, key: str) -> np.ndarray:
        return self.draw(key)[0]


RECORDINGS = [ToyRecording("wide", (100, 200)), ToyRecording("square", (120, 140))]


@pytest.fixture(scope="package")
def labelled(tmp_path_factory, make_classes) -> LabelledRecordings:
    """The frames of both recordings; 1 sky, 3 ground, 2 and 4 things."""
    folder = tmp_path_factory.mktemp("labels")
    for recording in RECORDINGS:
        rows = []
        for number in range(recording.frames):
            key = f"{number:06d}"
            _, classes, instances = recording.draw(key)
            write_image(folder / recording.name / f"{key}_class.png", classes)
            write_image(folder / recording.name / f"{key}_instance.png", instances)
            found = [
                {
                    "id": int(i),
                    "class_id": int(classes[instances == i][0]),
                    "score": 1.0,
                    "track_id": None,
                    "pixels": int((instances == i).sum()),
                }
                for i in np.unique(instances)
                if i
            ]
            rows.append(
                {"key": key, "stamp_ns": number, "instances": found, "reason": None if found else "nothing moves"}
            )
        write_json(folder / recording.name / "labels.json", {"recording": recording.name, "frames": rows})
    return LabelledRecordings(RECORDINGS, folder, make_classes())
