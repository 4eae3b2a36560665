"""Networks compared without labels."""

import json

import numpy as np
import pytest
import torch

from cups_ros.types import Classes, PseudoClass
from cups_train.network import NetworkSpec, PanopticNetwork, RawTensors
from cups_train.self_train.validation import Agreement, Contest, Scene, Validation

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i == 3, (i, i, i)) for i in range(1, 4)))
SPEC = NetworkSpec(CLASSES, 64, 128, "own", "batch", 16, 16, 1, semantic_head="direct", widths=(8, 8, 8, 8))


class Painted(PanopticNetwork):
    """Answers with class 1 where an image is dark, class 2 where it is bright; `wrong`: one class everywhere."""

    def __init__(self, wrong: bool = False) -> None:
        super().__init__(SPEC)
        self.wrong = wrong

    def infer(self, images, anchors=None):
        count = len(images)
        semantic = torch.ones_like(images[:, 0], dtype=torch.int32) if self.wrong else (1 + (images[:, 0] > 0.5)).int()
        nothing = torch.zeros(count, 1)
        return RawTensors(torch.zeros(count, 1, 4), nothing, nothing.int(), torch.zeros(count, 1, 28, 28), semantic)


def scene(shift: int) -> Scene:
    """A bright half that moves by 16 px; the flow says `shift`."""
    images = [np.zeros((64, 128, 3), np.uint8) for _ in range(3)]
    for image, edge in zip(images, (64, 80, 48), strict=True):
        image[:, edge:] = 255
    flows = [np.zeros((64, 128, 2), np.float32) for _ in range(2)]
    flows[0][..., 0], flows[1][..., 0] = shift, -shift
    return Scene(tuple(images), tuple(flows), (np.ones((64, 128), bool),) * 2)


def test_who_follows_the_flow_agrees():
    found, shown = Validation((scene(16),)).judge(Painted())
    assert shown == [1, 2] and found.over_time == found.over_cameras == pytest.approx(1.0) and found.instances == 0
    assert 0 < found.entropy < np.log(3) + 1e-6
    other, _ = Validation((scene(-16),)).judge(Painted())
    assert other.worth < 0.8


def test_who_loses_a_class_loses_by_it():
    alone, shown = Validation((scene(16),)).judge(Painted(wrong=True))
    assert alone.worth == pytest.approx(1.0) and shown == [1]
    assert Validation((scene(16),)).judge(Painted(wrong=True), [1, 2])[0].worth == pytest.approx(0.5)


def test_stage_2_is_kept_unless_it_is_beaten():
    start = Agreement(0.5, 0.7, 1.0, 2.0)
    contest = Contest(start, [1, 2], start)
    assert not contest.enter(Agreement(0.7, 0.5, 0.1, 9.0), 25) and contest.verdict().startswith(
        "stage 2's network is kept: "
    )
    assert not contest.enter(Agreement(0.53, 0.7, 1.0, 2.0), 25)  # by chance
    assert contest.enter(Agreement(0.6, 0.7, 1.0, 2.0), 50) and not contest.enter(Agreement(0.55, 0.7, 1.0, 2.0), 75)
    again = Contest.from_json(json.loads(json.dumps(contest.to_json())))
    assert (
        again == contest
        and "from step 50 on: agreement 65.0 (60.0 along flow, 70.0 between cameras)" in again.verdict()
    )
