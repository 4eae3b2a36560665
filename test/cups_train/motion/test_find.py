"""Objects from motion in one pair of frames."""

from dataclasses import replace

import numpy as np
import pytest

from cups_train.config import MotionConfig
from cups_train.folders.motion import frame_json
from cups_train.geometry import se3
from cups_train.motion.find import find_moving_objects
from cups_train.motion.time_step import Before, TimeStep
from cups_train.types import Absence, MotionResult, Reason, SceneFlow, StereoCamera, StereoFrame

CAMERA = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)
# static points, t to t+1
FORWARD = se3.inverse(se3.transform(se3.rotation(np.array([0.0, 0.01, 0.0])), np.array([0.0, 0.0, 0.6])))
STILL = np.eye(4)
BOXES = ((slice(60, 100), slice(40, 100), 12.0), (slice(60, 95), slice(200, 250), 14.0))  # rows, columns, depth [m]


def find(flow: SceneFlow, key: str = "000000", seed: int = 1, config: MotionConfig | None = None) -> MotionResult:
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    return find_moving_objects(
        TimeStep(StereoFrame(key, 0, image, image, CAMERA), flow, 0.1), config or MotionConfig(), seed
    )


def shift(x: float, z: float = 0.0) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, z]))


def spin(angle: float, depth: float, column: float) -> np.ndarray:
    """Turn about the vertical through the middle of a box."""
    centre = np.array([(column - CAMERA.cx) / CAMERA.fx * depth, 0, depth])
    r = se3.rotation(np.array([0, angle, 0]))
    return se3.transform(r, centre - r @ centre)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("ego", [FORWARD, STILL])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_a_translating_box_is_found_and_the_static_one_is_not(scene, ego, noise):
    flow, label = scene(ego, (shift(0.5), STILL), noise)
    result = find(flow)
    assert len(result.objects) == 1 and result.absence is None
    assert iou(result.instances == 1, label == 1) > 0.9
    assert result.ego == pytest.approx(se3.inverse(ego), abs=0.01)
    item = result.objects[0]
    moved = se3.apply(item.transform, np.array(item.centroid_m)) - item.centroid_m
    assert moved == pytest.approx([0.5, 0, 0], abs=0.12) and item.centroid_m[2] == pytest.approx(12, abs=0.3)


def test_a_turning_box_is_kept(scene):
    """The published background test deletes what turns by more than 0.04 rad a frame."""
    flow, label = scene(FORWARD, (shift(-0.4, 0.3), spin(0.4, BOXES[1][2], 225)))
    result = find(flow)
    assert max(iou(result.instances == o.id, label == 1) for o in result.objects) > 0.9
    assert ((result.instances > 0) & (label == 2)).sum() > 0.6 * (label == 2).sum()
    assert not ((result.instances > 0) & (label == 0)).any()


def test_nothing_moves(scene):
    flow, _ = scene(FORWARD, (STILL, STILL), noise=0.15)
    result = find(flow)
    assert not result.objects and not result.instances.any() and result.absence.reason is Reason.NOTHING_MOVES


def test_no_valid_pixel_is_a_reason_and_no_fault(scene):
    flow, _ = scene(FORWARD, (STILL, STILL))
    result = find(replace(flow, flow_ok=np.zeros_like(flow.flow_ok)))
    assert result.ego is None and result.absence.reason is Reason.NO_CAMERA_MOTION


def test_the_result_depends_on_seed_and_key_only(scene):
    flow, _ = scene(FORWARD, (shift(0.5), shift(0, -0.5)), noise=0.15)
    first = find(flow, "000007")
    find(flow, "000008")
    again = find(flow, "000007")
    assert (first.instances == again.instances).all() and frame_json(first) == frame_json(again)


BOTH = shift(0.5), shift(-0.4, 0.3)


def found_with(flow: SceneFlow, before: SceneFlow) -> MotionResult:
    """`before`: flow from t to t-1."""
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    step = TimeStep(StereoFrame("000000", 0, image, image, CAMERA), flow, 0.1, before=Before(before, 0.1))
    return find_moving_objects(step, MotionConfig(), 1)


def test_what_came_from_where_its_motion_takes_it_back_is_kept(scene) -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (se3.inverse(BOTH[0]), se3.inverse(BOTH[1])))
    result = found_with(flow, before)
    assert {int(np.median(label[result.instances == o.id])) for o in result.objects} == {1, 2}


def test_what_stood_still_before_is_refuted(scene) -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, se3.inverse(BOTH[1])))
    result = found_with(flow, before)
    assert [int(np.median(label[result.instances == o.id])) for o in result.objects] == [2]


def test_nothing_is_refuted_where_nothing_was_measured(scene) -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, STILL))
    before.flow_ok[label > 0] = False
    assert len(found_with(flow, before).objects) == 2


def test_all_refuted_is_told(scene) -> None:
    flow, _ = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, STILL))
    result = found_with(flow, before)
    assert not result.objects
    assert result.absence == Absence(Reason.REFUTED, "the frame before refutes all 2 candidates")


def test_flow_without_order_has_no_objects(scene):
    rng = np.random.default_rng(0)
    flow, _ = scene(STILL, (STILL, STILL))
    wild = replace(flow, flow=rng.normal(0, 20, flow.flow.shape).astype(np.float32))
    assert find(wild).absence is not None
