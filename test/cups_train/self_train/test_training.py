"""Stage 3 on toy frames."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cups_train.config import SelfTrainConfig
from cups_train.recording import Stamp
from cups_train.self_train import self_train
from cups_train.types import StereoCamera, StereoFrame, Work

SHORT = SelfTrainConfig(
    steps=4,
    batch=2,
    rois=16,
    scales=(0.75, 1.0),
    instance_score=0.05,
    checkpoint_every=2,
    pictures_every=4,
    copy_paste=2,
    jitter=(1.0, 1.0),
    lr=1e-3,
    validate_every=2,
    validation_frames=2,
)
WORK = Work(5, 1, "cpu")


@dataclass(frozen=True, eq=False)
class ToyRecording:
    name: str = "toy"
    fingerprint: str = "toy"
    stamps: tuple[Stamp, ...] = field(default_factory=lambda: tuple(Stamp(f"{n:06d}", n, True) for n in range(3)))

    def stereo(self, key: str) -> StereoFrame:
        left = ToyRecording.left(self, key)
        return StereoFrame(
            key, int(key), left, np.roll(left, -2, axis=1), StereoCamera(100, 180, 90.0, 90.0, 90.0, 50.0, 0.5)
        )

    def left(self, key: str) -> np.ndarray:
        return np.random.default_rng(int(key)).integers(0, 256, (10, 20, 3), dtype=np.uint8).repeat(10, 0).repeat(9, 1)


class Killed(Exception):
    pass


class MortalRecording(ToyRecording):
    """The same images, but the training is killed where it reads those of the fourth step."""

    def left(self, key: str) -> np.ndarray:
        reads.append(key)
        if len(reads) > 3 * SHORT.batch + SHORT.validation_frames:
            raise Killed
        return super().left(key)


reads: list[str] = []


def test_only_heads_change_and_a_killed_run_ends_like_one_that_was_not(start, tmp_path, monkeypatch):
    whole = (
        self_train([ToyRecording()], start, tmp_path / "whole", SHORT, WORK).parent
        / "state"
        / "000004"
        / "student.safetensors"
    )
    before, after = load_file(start), load_file(whole)
    changed = {name.split(".")[0] for name in before if digest(before[name]) != digest(after[name])}
    assert (
        changed <= {"rpn", "box_heads", "mask_head", "semantic_head"}
        and {"rpn", "box_heads", "semantic_head"} <= changed
    )
    norms = [name for name in before if name.startswith("semantic_head.levels") and before[name].dim() == 1]
    assert norms and all(torch.equal(before[name], after[name]) for name in norms)

    with pytest.raises(Killed):
        self_train([MortalRecording()], start, tmp_path / "killed", SHORT, WORK)
    assert [p.name for p in (tmp_path / "killed" / "state").iterdir()] == ["000002"]
    resumed = load_file(
        self_train([ToyRecording()], start, tmp_path / "killed", SHORT, WORK).parent
        / "state"
        / "000004"
        / "student.safetensors"
    )
    kept = [load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in after)
    assert all(torch.equal(after[name], resumed[name]) for name in after)
    rows = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and {"instances", "ignored", "score"} <= rows[0].keys()
    assert sum(row["instances"] for row in rows) > 0
    teacher = load_file(tmp_path / "whole" / "state" / "000004" / "teacher.safetensors")
    moved = teacher["semantic_head.predictor.weight"]
    assert not torch.equal(moved, before["semantic_head.predictor.weight"]) and not torch.equal(
        moved, after["semantic_head.predictor.weight"]
    )


def digest(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def test_no_steps_give_the_start_back(start, tmp_path):
    done = self_train([ToyRecording()], start, tmp_path, SHORT.model_copy(update={"steps": 0}), WORK)
    before, after = load_file(start), load_file(done)
    assert all(torch.equal(before[name], after[name]) for name in before)
