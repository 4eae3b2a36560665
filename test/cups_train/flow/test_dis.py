"""The fusion of flow fields, the flow of the camera's own motion, and the memory of the last frames."""
import cv2
import numpy as np
import pytest

from cups_train.flow.camera_motion import camera_motion, rigid_flow
from cups_train.flow.classical import Memory
from cups_train.flow.dis import nearest_back, optical_flow
from cups_train.flow.select import fuse, look_at
from cups_train.geometry import se3
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(160, 96, 150, 150, 79.5, 47.5, 0.2)


def constant(u: float, v: float, shape: tuple[int, int] = (96, 160)) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (*shape, 2)).copy()


def texture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 200, (120, 200))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5), 0, 255).astype(np.uint8)


def test_each_half_takes_the_field_that_fits_it():
    """The left half moves by (2, 1), the right half stands still."""
    ground = texture()
    now, after = ground[10:106, 20:180].copy(), ground[10:106, 20:180].copy()
    after[:, :80] = ground[9:105, 18:98]
    fields = [constant(0, 0), constant(2, 1)]
    flow, doubt = fuse(fields, [constant(0, 0), constant(-2, -1)], look_at(now), look_at(after))
    assert (flow[10:-10, 10:68] == (2, 1)).all() and (flow[10:-10, 92:-10] == 0).all() and not doubt.any()


def test_theory_is_taken_where_nothing_speaks_against_it_and_doubted_there():
    """The lower half has no texture; the upper half stands still while theory says 4 px."""
    image = texture()[:96, :160].copy()
    image[48:] = 120
    flow, doubt = fuse([constant(0, 0)], [constant(0, 0), constant(-4, 0)], look_at(image), look_at(image), constant(4, 0))
    assert (flow[:40, 10:-10] == 0).all() and not doubt[:40, 10:-10].any()
    assert (flow[56:, 10:-10] == (4, 0)).all() and doubt[56:, 10:-10].all()
    _, near = fuse([constant(0, 0)], [constant(0, 0)], look_at(image), look_at(image), constant(0.2, 0))
    assert not near.any()  # both say the same


def test_way_back_is_the_one_that_leads_closest_to_the_start():
    back, inside = nearest_back(constant(3, 0), [constant(-9, 0), constant(-2.5, 0)])
    assert (back == (-2.5, 0)).all() and inside[:, :157].all() and not inside[:, 157:].any()


def test_optical_flow_of_a_shift():
    ground = np.repeat(texture()[..., None], 3, -1)
    flow, ok, error = optical_flow(ground[10:106, 20:180], ground[7:103, 15:175])
    assert np.median(flow, (0, 1)) == pytest.approx([5, 3], abs=0.1)
    assert ok.mean() > 0.85 and np.median(error[ok]) < 0.1


def test_camera_motion_is_found_among_outliers_and_predicts_the_flow():
    rng = np.random.default_rng(1)
    motion = se3.transform(se3.rotation(np.array([0.004, -0.02, 0.003])), np.array([0.05, -0.02, -0.6]))
    disparity = (2 + 6 * rng.random((96, 160))).astype(np.float32)
    flow = rigid_flow(CAMERA, motion, disparity)
    wrong = rng.random(disparity.shape) < 0.25
    measured = flow + np.where(wrong[..., None], rng.normal(0, 8, flow.shape), rng.normal(0, 0.05, flow.shape)).astype(np.float32)
    found = camera_motion(CAMERA, measured, disparity, np.ones(disparity.shape, bool))
    assert found is not None
    assert found[:3, :3] == pytest.approx(motion[:3, :3], abs=5e-4) and found[:3, 3] == pytest.approx(motion[:3, 3], abs=5e-3)
    assert camera_motion(CAMERA, measured, disparity, np.zeros(disparity.shape, bool)) is None


def test_rigid_flow_by_hand():
    """0.5 m forward: a point at 10 m (disparity 3 px), 30 px right of the centre, goes to 30 * 10 / 9.5; what is infinitely far stays."""
    disparity = np.full((96, 160), 3, np.float32)
    disparity[:40] = 0
    flow = rigid_flow(CAMERA, se3.transform(np.eye(3), np.array([0, 0, -0.5])), disparity)
    assert flow[47, 109] == pytest.approx([29.5 * (10 / 9.5 - 1), -0.5 * (10 / 9.5 - 1)], abs=1e-4)
    assert (np.abs(flow[:40]) < 1e-4).all()


def test_memory_keeps_three_frames_by_identity():
    image = np.zeros((2, 2, 3), np.uint8)
    a, b, c, d = (StereoFrame("000000", 0, image, image, CAMERA) for _ in range(4))  # equal in all but identity
    memory, calls = Memory(), []
    for pair in ((a, b), (b, c), (b, a), (c, d)):
        memory.hold(*pair)
        memory.once(lambda pair=pair: calls.append(pair), "flow", *pair)
    assert len(calls) == 4
    assert not memory.missing("flow", b, c) and memory.missing("flow", a, b) and memory.missing("flow", b, a) and memory.missing("disparity", b)
