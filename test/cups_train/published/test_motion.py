"""The published clustering and ours on one scene: road, wall at 40 m, box 1 at 14 m, box 2 at 18 m that stands; the
camera drives 0.6 m a frame."""

import numpy as np
import pytest

from cups_train.config import MotionConfig
from cups_train.geometry import se3
from cups_train.geometry.camera import points_of, project
from cups_train.motion.method import method_of
from cups_train.motion.time_step import TimeStep
from cups_train.published.motion import depth_edges, filled, noise, untruncated
from cups_train.types import Absence, MotionResult, Reason, SceneFlow, StereoCamera, StereoFrame

CAMERA = StereoCamera(320, 640, 707.0, 707.0, 319.5, 147.5, 0.2093)
EGO = se3.inverse(se3.transform(np.eye(3), np.array([0.0, 0.0, 0.6])))
BOXES = ((slice(105, 215), slice(90, 201), 14.0), (slice(110, 204), slice(420, 507), 18.0))  # 12210 and 8178 px
STILL = np.eye(4)


def scene(own: np.ndarray, noise_px: float = 0.0) -> tuple[SceneFlow, np.ndarray]:
    """Scene flow and labels; box 1 moves by `own`."""
    v, u = np.mgrid[:320, :640].astype(float)
    depth = np.where(v > CAMERA.cy + 1, np.minimum(1.4 * CAMERA.fy / np.maximum(v - CAMERA.cy, 1), 40), 40)
    label = np.zeros(depth.shape, int)
    for k, (rows, columns, z) in enumerate(BOXES, 1):
        label[rows, columns], depth[rows, columns] = k, z
    points = points_of(CAMERA, u, v, CAMERA.depth_scale / depth)
    after = se3.apply(EGO, points)
    after[label == 1] = se3.apply(EGO @ own, points[label == 1])
    u1, v1, d1 = np.moveaxis(project(CAMERA, after), -1, 0)
    rng = np.random.default_rng(0)
    flow = np.stack([u1 - u, v1 - v], -1) + noise_px * rng.normal(size=(*depth.shape, 2))
    both = [d + noise_px * rng.normal(size=depth.shape) for d in (CAMERA.depth_scale / depth, d1)]
    inside = (u1 >= 0) & (u1 <= 639) & (v1 >= 0) & (v1 <= 319)
    ok, sigma = np.ones(depth.shape, bool), np.full(depth.shape, max(noise_px, 0.03), np.float32)
    return SceneFlow(
        flow.astype(np.float32),
        both[0].astype(np.float32),
        both[1].astype(np.float32),
        inside,
        ok,
        inside,
        sigma,
        sigma,
    ), label


def find(own: np.ndarray, method: str, noise_px: float = 0.0, runs: int = 3) -> tuple[MotionResult, np.ndarray]:
    flow, label = scene(own, noise_px)
    image = np.zeros((320, 640, 3), np.uint8)
    config = MotionConfig(method=method, runs=runs, min_area=0.65 if method == "published" else 0.2)
    step = TimeStep(StereoFrame("000000", 0, image, image, CAMERA), flow, 1 / 17)
    return method_of(config).find(step, config, 1), label


def aside(x: float) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, 0]))


def turned(angle: float) -> np.ndarray:
    """Box 1 turns about the vertical through its middle."""
    centre = np.array([(145 - CAMERA.cx) / CAMERA.fx * 14, 0, 14])
    r = se3.rotation(np.array([0, angle, 0]))
    return se3.transform(r, centre - r @ centre)


def test_published_clustering_finds_the_box_that_goes_aside():
    result, label = find(aside(0.5), "published")
    assert len(result.objects) == 1 and result.objects[0].source == "rigid"
    mask = result.instances == 1
    assert 0.6 < mask.sum() / 12210 <= 1 and (label[mask] == 1).all()  # measured with the published code: 0.76
    assert result.ego == pytest.approx(se3.inverse(EGO), abs=2e-3)
    assert result.objects[0].transform == pytest.approx(aside(0.5), abs=0.05)


@pytest.mark.parametrize("settings", [{"max_depth": 13.0}, {"min_area": 50.0}])
def test_depth_and_surface_are_those_of_the_settings(settings):
    flow, _ = scene(aside(0.5))
    image = np.zeros((320, 640, 3), np.uint8)
    step = TimeStep(StereoFrame("000000", 0, image, image, CAMERA), flow, 1 / 17)
    config = MotionConfig(**{"method": "published", "runs": 3, "min_area": 0.65, **settings})
    assert not method_of(config).find(step, config, 1).objects  # with 70 m and 0.65 m2 there is one


def test_published_clustering_deletes_what_turns_and_ours_keeps_it():
    own = turned(0.07)
    assert not find(own, "published")[0].objects
    result, label = find(own, "residual_and_rigid")
    found = result.instances > 0
    assert result.objects and (found & (label == 1)).sum() > 0.6 * 12210 and not (found & (label == 2)).any()


def test_repaired_clustering_finds_the_whole_box():
    result, label = find(aside(0.5), "residual_and_rigid", noise_px=0.15)
    assert len(result.objects) == 1
    mask = result.instances == 1
    assert (mask & (label == 1)).sum() / (mask | (label == 1)).sum() > 0.9


@pytest.mark.parametrize("method", ["published", "residual_and_rigid"])
def test_a_static_scene_is_empty_and_says_why(method):
    result, _ = find(STILL, method)
    assert not result.objects and not result.instances.any() and result.absence


def test_too_few_valid_pixels_is_a_reason():
    flow, _ = scene(STILL)
    image = np.zeros((320, 640, 3), np.uint8)
    nowhere = SceneFlow(**{**vars(flow), "flow_ok": np.zeros((320, 640), bool)})
    config = MotionConfig(method="published")
    result = method_of(config).find(TimeStep(StereoFrame("000000", 0, image, image, CAMERA), nowhere, 0.1), config, 1)
    assert result.absence == Absence(Reason.TOO_LITTLE_DEPTH, "too few valid pixels") and result.ego is None


def test_noise_of_a_cut_normal_distribution():
    """Measured table of the published estimate, sigma against the spread of what was not cut off."""
    limit = 10 * np.sqrt(2)
    for spread, sigma in ((2.8, 2.0), (4.0, 2.83), (5.0, 3.63), (6.0, 4.67), (7.0, 6.56), (8.0, 10.0)):
        full = np.clip(untruncated(spread, limit), 2 * np.sqrt(2), limit)
        assert full / np.sqrt(2) == pytest.approx(sigma, abs=0.02)
    everywhere = np.ones((20, 20), bool)
    assert noise(np.full((20, 20), 0.3), everywhere) == 2.0
    assert noise(np.full((20, 20), 3.0), ~everywhere) == 2.0


def test_depth_edges_lie_at_steps_and_not_on_the_road():
    disparity = np.full((40, 60), 10.0, np.float32)
    disparity[:, 30:], disparity[:, 30] = 14, 11
    edge = depth_edges(disparity)
    assert edge[20, 27:33].any() and not edge[:, :24].any() and not edge[:, 36:].any()
    assert not depth_edges(np.broadcast_to(10 + 0.1 * np.arange(60, dtype=np.float32), (40, 60)).copy())[:, 3:-3].any()


def test_published_hole_filling_inverts_what_is_larger_than_its_surroundings():
    mask = np.ones((20, 20), bool)
    mask[:3] = False
    assert (filled(mask) == ~mask).all()
    ring = np.zeros((20, 20), bool)
    ring[5:12, 5:12] = True
    ring[8, 8] = False
    assert filled(ring).sum() == 49
