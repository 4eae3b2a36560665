"""The motion folder of a small recording with given flow: written, resumed, refused."""

import importlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.config import MotionConfig
from cups_train.errors import ResultError
from cups_train.files import read_image, write_image
from cups_train.folders.motion import read_motion
from cups_train.motion import find_motion
from cups_train.types import StereoCamera, StereoFrame, Work

stage = importlib.import_module("cups_train.motion.find_motion")  # the package's name `find_motion` is the function
CAMERA = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)


@dataclass(frozen=True)
class Stamp:
    key: str
    stamp_ns: int
    follows: bool


@dataclass(frozen=True)
class Recording:
    """Three grey frames."""

    name: str = "walk"
    stamps: tuple = (Stamp("000000", 10, True), Stamp("000001", 100_000_010, True), Stamp("000002", 200_000_010, False))
    step_ns: int = 100_000_000
    fingerprint: str = "abc"
    read: list = field(default_factory=list)

    def stereo(self, key: str) -> StereoFrame:
        self.read.append(key)
        image = np.full((160, 320, 3), 90, np.uint8)
        return StereoFrame(key, self.stamps[int(key)].stamp_ns, image, image, CAMERA)

    def ego_prior(self, key: str, other: str) -> None:
        """No odometry."""

    def left(self, key: str) -> np.ndarray:
        return np.full((160, 320, 3), 90, np.uint8)


def _give(folder: Path, key: str, column: int) -> None:
    """A wall at 15 m, a box at 10 m from `column` on that moves 0.5 m to the right; the camera stands."""
    box = np.zeros((160, 320), bool)
    box[50:110, column : column + 60] = True
    disparity = np.where(box, 352 * 0.22 / 10, 352 * 0.22 / 15)
    coded = np.full((160, 320, 3), 32768, np.uint16)
    coded[box, 0] += round(64 * 0.5 * 352 / 10)
    coded[..., 2] = 1
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / f"{key}_flow.png"), coded[..., ::-1])
    for name in ("disp", "disp_next"):
        write_image(folder / f"{key}_{name}.png", np.rint(256 * disparity).astype(np.uint16))


def _run(tmp_path: Path, recording: Recording, seed: int = 1) -> dict:
    find_motion(recording, tmp_path / "out", MotionConfig(), Work(seed, 1, "cpu"), tmp_path / "truth")
    return json.loads((tmp_path / "out" / "motion.json").read_text())


@pytest.fixture
def given(tmp_path: Path) -> Path:
    _give(tmp_path / "truth", "000000", 100)
    _give(tmp_path / "truth", "000001", 118)
    return tmp_path


def test_a_folder_with_every_frame(given):
    frames = _run(given, Recording())["frames"]
    assert [f["key"] for f in frames] == ["000000", "000001", "000002"]
    assert [len(f["objects"]) for f in frames] == [1, 1, 0]
    assert frames[0]["objects"][0]["track_id"] == frames[1]["objects"][0]["track_id"] == 1
    assert np.array(frames[0]["objects"][0]["transform"])[:3, 3] == pytest.approx([0.5, 0, 0], abs=0.03)
    assert frames[2]["ego"] is None and "no flow" in frames[2]["reason"] and frames[2]["reason_code"] == "not_given"
    instances = read_image(given / "out" / "instances" / "000001.png")
    assert instances.dtype == np.uint16 and instances[80, 130] == 1 and instances[80, 110] == 0
    assert (given / "out" / "overlays" / "000000.jpg").is_file() and not (given / "out" / "frames").exists()
    motion = read_motion(given / "out")
    assert motion["000001"].objects[0].pixels == (motion.instances("000001") == 1).sum()


def test_a_stopped_run_goes_on_and_a_finished_one_rests(given, monkeypatch):
    finish = stage.finish
    monkeypatch.setattr(stage, "finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        _run(given, Recording())
    (given / "out" / "frames" / "000001.json").unlink()
    monkeypatch.setattr(stage, "finish", finish)
    again = Recording()
    first = _run(given, again)
    assert set(again.read) == {"000001"}
    written = (given / "out" / "motion.json").read_bytes()
    assert written == (json.dumps(first) + "\n").encode()
    shutil.rmtree(given / "out")
    _run(given, Recording())
    assert (given / "out" / "motion.json").read_bytes() == written
    third = Recording()
    assert _run(given, third) == first and not third.read
    assert _run(given, third, seed=2)["settings"]["seed"] == 2 and set(third.read) == {"000000", "000001", "000002"}


def test_a_foreign_truth_folder_is_refused(tmp_path):
    (tmp_path / "truth").mkdir()
    with pytest.raises(ResultError, match="--given"):
        _run(tmp_path, Recording())
