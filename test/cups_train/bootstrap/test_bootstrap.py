"""Stage 2 on toy frames: coloured boxes on grey ground under a blue sky, labels made by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cups_ros.types import Classes, PseudoClass, RawOutput
from cups_train.bootstrap import LabelledRecordings, bootstrap
from cups_train.bootstrap.discoveries import new_objects
from cups_train.bootstrap.frames import Loader, Schedule, index_frames
from cups_train.config import BootstrapConfig, NetworkConfig
from cups_train.errors import ResultError
from cups_train.files import write_image, write_json
from cups_train.training.sample import Sample, boxes_of
from cups_train.training.state import load_state
from cups_train.types import StereoCamera, Work

# 1 sky, 3 ground, 2 and 4 things
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (40 * i, 90, 255 - 40 * i)) for i in range(1, 5)))
TINY = NetworkConfig(
    backbone="resnet18",
    channels=16,
    hidden=16,
    mask_convs=1,
    semantic_channels=16,
    proposals=16,
    detections=8,
    height=64,
    width=128,
)
SHORT = BootstrapConfig(
    steps=4,
    batch=2,
    lr=2e-3,
    rois=16,
    rpn_samples=32,
    self_enhanced_from=2,
    paste_score=0.0,
    checkpoint_every=2,
    pictures_every=4,
    jitter=(1.0, 1.0),
    copy_paste=2,
    decay=0,
    warmup=0,
    self_enhanced_every=1,
)


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


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
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
    return folder


def run(labels: Path, out: Path, config: BootstrapConfig) -> Path:
    return bootstrap(LabelledRecordings(RECORDINGS, labels, CLASSES), out, TINY, config, Work(7, 1, "cpu"))


def test_index_and_schedule(labels):
    frames = index_frames(LabelledRecordings(RECORDINGS, labels, CLASSES))
    assert len(frames) == 8 and sum(f.has_object for f in frames) == 6
    schedule = Schedule.of(frames, 0.25, 1)
    drawn = [schedule.draw(number) for number in range(80)]
    assert sum(not f.has_object for f in drawn) == 20
    objects = [f for f in drawn if f.has_object]
    assert len(set(objects[:6])) == len(set(objects[6:12])) == 6 and objects[:6] != objects[6:12]
    assert drawn == [Schedule.of(frames, 0.25, 1).draw(number) for number in range(80)]
    for kind in (True, False):
        assert all(
            Schedule.of([f for f in frames if f.has_object == kind], 0.25, 1).draw(n).has_object == kind
            for n in range(5)
        )
    with pytest.raises(ResultError, match="labels.json"):
        index_frames(LabelledRecordings([ToyRecording("other", (10, 10))], labels, CLASSES))


def test_loaded_sample_shows_what_its_labels_say(labels):
    labelled = LabelledRecordings(RECORDINGS, labels, CLASSES)
    loader, frames = Loader(labelled, (64, 128), True), index_frames(labelled)
    flips = set()
    for seed in range(12):
        sample = loader.load(frames[4 * (seed % 2)], np.random.default_rng(seed))
        assert sample.image.shape == (64, 128, 3)
        for row, (x1, y1, x2, y2) in enumerate(boxes_of(sample.instance, len(sample.thing)).astype(int)):
            inner = sample.instance[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2] == row + 1
            colour = sample.image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2][inner].mean(axis=0)
            assert colour.argmax() == sample.thing[row]  # thing 0 is red, thing 1 is green
            flips.add((row, x1 > 64))
        assert (sample.semantic[sample.instance > 0] == 0).all()
        assert sample.semantic[63, 0] in (0, 2) and set(np.unique(sample.semantic)) <= {0, 1, 2}
    assert len(flips) >= 3


def test_labels_of_another_size_are_refused(labels, tmp_path):
    shutil.copytree(labels / "square", tmp_path / "wide")
    labelled = LabelledRecordings(RECORDINGS[:1], tmp_path, CLASSES)
    frame = index_frames(labelled)[0]
    with pytest.raises(ResultError, match="expected labels of 200x100 px for frame 000000 of wide, found 140x120"):
        Loader(labelled, (64, 128), True).load(frame, np.random.default_rng(0))


def test_discoveries_are_confident_and_new():
    sample = Sample(
        np.zeros((64, 128, 3), np.uint8), np.ones((64, 128), np.uint8), np.zeros((64, 128), np.uint16), np.array([0])
    )
    sample.instance[10:30, 10:30] = 1
    boxes = np.array([[10, 10, 30, 30], [60, 10, 90, 40], [90, 40, 120, 60]], np.float32)
    scores, masks = np.array([0.9, 0.8, 0.6], np.float32), np.ones((3, 28, 28), np.float32)
    answer = RawOutput(boxes, scores, np.array([2, 4, 4]), masks, np.ones((64, 128), np.int32))
    found = new_objects(sample, answer, CLASSES, 0.75)
    assert [(s.thing, s.mask.shape) for s in found] == [(1, (30, 30))]  # the first is known, the last is not sure


def test_a_killed_run_ends_like_one_that_was_not(labels, tmp_path):
    whole = run(labels, tmp_path / "whole", SHORT)
    run(labels, tmp_path / "parts", SHORT.model_copy(update={"steps": 2}))
    (tmp_path / "parts" / "state" / ".123.000003").mkdir()  # what a kill while writing leaves
    resumed = run(labels, tmp_path / "parts", SHORT)
    first, second = load_file(whole), load_file(resumed)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    rows = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [row["step"] for row in rows[1]] == [1, 2, 3, 4]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    assert rows[0][3]["sources"] > 0 and (tmp_path / "whole" / "overlays" / "000004.jpg").is_file()
    assert "goes on after step 2" in (tmp_path / "parts" / "train.log").read_text()
    assert [p.name for p in (tmp_path / "parts" / "state").iterdir()] == ["000004"]
    resumed.unlink()
    assert run(labels, tmp_path / "parts", SHORT) == resumed and resumed.is_file()  # nothing left to do but to publish
    assert load_state(tmp_path / "parts", {"other": 1}, "network", torch.device("cpu")) is None


def test_some_steps_lower_the_loss(labels, tmp_path):
    run(
        labels,
        tmp_path,
        SHORT.model_copy(update={"steps": 14, "self_enhanced_from": 99, "checkpoint_every": 99, "copy_paste": 1}),
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:3])
