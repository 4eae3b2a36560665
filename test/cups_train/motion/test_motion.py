"""Objects from motion on scenes whose flow and disparity are worked out from their geometry: a road, a wall at 40 m, two boxes."""
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cups_train.config import MotionConfig
from cups_train.folders.motion import frame_json, read_motion, result_from
from cups_train.geometry import se3
from cups_train.geometry.camera import points_of, project
from cups_train.motion.confirm import Before
from cups_train.motion.ego import estimate_ego
from cups_train.motion.find import find_moving_objects
from cups_train.motion.rigid_fit import FitOptions, chi_square, fit, samples_at
from cups_train.motion.tracks import keep_supported, track
from cups_train.types import MotionResult, MovingObject, SceneFlow, StereoCamera, StereoFrame

CAMERA = StereoCamera(320, 160, 352.0, 352.0, 159.5, 70.0, 0.22)
FORWARD = se3.inverse(se3.transform(se3.rotation(np.array([0.0, 0.01, 0.0])), np.array([0.0, 0.0, 0.6])))  # static points, t to t+1
STILL = np.eye(4)
BOXES = ((slice(60, 100), slice(40, 100), 12.0), (slice(60, 95), slice(200, 250), 14.0))  # rows, columns, depth [m]


def scene(ego: np.ndarray, own: tuple[np.ndarray, np.ndarray], noise: float = 0.0) -> tuple[SceneFlow, np.ndarray]:
    """Scene flow of one pair, and the label map of the two boxes. `own`: motions of the boxes in the camera's frame at t."""
    v, u = np.mgrid[:CAMERA.height, :CAMERA.width].astype(float)
    depth = np.where(v > CAMERA.cy + 1, np.minimum(1.4 * CAMERA.fy / np.maximum(v - CAMERA.cy, 1), 40), 40)
    label = np.zeros(depth.shape, int)
    for k, (rows, columns, z) in enumerate(BOXES, 1):
        label[rows, columns], depth[rows, columns] = k, z
    disparity = CAMERA.depth_scale / depth
    disparity[:20] = 0  # sky
    points = points_of(CAMERA, u, v, np.maximum(disparity, 1e-9))
    after = se3.apply(ego, points)
    for k, motion in enumerate(own, 1):
        after[label == k] = se3.apply(ego @ motion, points[label == k])
    u1, v1, d1 = project(CAMERA, after)
    rng = np.random.default_rng(0)
    flow = np.stack([u1 - u, v1 - v], -1) + noise * rng.normal(size=(*depth.shape, 2))
    ok = np.isfinite(flow).all(-1)
    d1 = np.where(disparity > 0, d1, 0) + noise * (disparity > 0) * rng.normal(size=depth.shape)
    sigma = np.full(depth.shape, max(noise, 0.03), np.float32)
    seen = np.where(disparity > 0, disparity + noise * rng.normal(size=depth.shape), 0)
    return SceneFlow(flow.astype(np.float32), seen.astype(np.float32), d1.astype(np.float32), ok, np.ones_like(ok), ok, sigma, sigma), label


def find(flow: SceneFlow, key: str = "000000", seed: int = 1, config: MotionConfig | None = None) -> MotionResult:
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    return find_moving_objects(flow, StereoFrame(key, 0, image, image, CAMERA), config or MotionConfig(), seed, 0.1)


def shift(x: float, z: float = 0.0) -> np.ndarray:
    return se3.transform(np.eye(3), np.array([x, 0, z]))


def spin(angle: float, depth: float, column: float) -> np.ndarray:
    """Turn about the vertical through the middle of a box."""
    centre = np.array([(column - CAMERA.cx) / CAMERA.fx * depth, 0, depth])
    r = se3.rotation(np.array([0, angle, 0]))
    return se3.transform(r, centre - r @ centre)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("ego", [FORWARD, STILL, se3.transform(se3.rotation(np.array([0.0, 0.07, 0.01])), np.zeros(3))])
def test_ego_motion_driving_standing_and_turning_on_the_spot(ego):
    flow, _ = scene(ego, (shift(0.5), STILL), noise=0.1)
    found = estimate_ego(flow, CAMERA, np.random.default_rng(0))
    assert found is not None
    error = se3.inverse(ego) @ found.motion
    assert se3.rotation_angle(error[:3, :3]) < 5e-4 and np.linalg.norm(error[:3, 3]) < 0.02


def test_a_prior_tells_the_scene_from_a_bus_that_fills_the_view():
    flow, label = scene(FORWARD, (shift(0.5), STILL), noise=0.1)
    bus = se3.transform(np.eye(3), np.array([0.4, 0, 0.2]))
    v, u = np.mgrid[:CAMERA.height, :CAMERA.width].astype(float)
    wall = (u > 110) & (v > 10) & (v < 150)
    points = points_of(CAMERA, u, v, np.full(u.shape, CAMERA.depth_scale / 9))
    u1, v1, d1 = project(CAMERA, se3.apply(FORWARD @ bus, points))
    moved = np.stack([u1 - u, v1 - v], -1)
    hidden = replace(flow, flow=np.where(wall[..., None], moved, flow.flow).astype(np.float32),
                     disparity=np.where(wall, CAMERA.depth_scale / 9, flow.disparity).astype(np.float32),
                     disparity_next=np.where(wall, d1, flow.disparity_next).astype(np.float32))
    off = FORWARD @ se3.transform(se3.rotation(np.array([0, 0.002, 0])), np.array([0.03, 0, 0.05]))  # odometry is not exact
    told = estimate_ego(hidden, CAMERA, np.random.default_rng(0), off)
    alone = estimate_ego(hidden, CAMERA, np.random.default_rng(0))
    assert np.linalg.norm((se3.inverse(FORWARD) @ told.motion)[:3, 3]) < 0.03
    assert np.linalg.norm((se3.inverse(FORWARD @ bus) @ alone.motion)[:3, 3]) < 0.03  # without it the bus is the scene


def test_a_wrong_prior_does_no_harm():
    flow, _ = scene(FORWARD, (shift(0.5), STILL), noise=0.1)
    wrong = se3.transform(se3.rotation(np.array([0, 0.05, 0])), np.array([0.5, 0, 1.0]))
    found = estimate_ego(flow, CAMERA, np.random.default_rng(0), wrong)
    assert np.linalg.norm((se3.inverse(FORWARD) @ found.motion)[:3, 3]) < 0.02


def test_no_ego_motion_from_noise():
    rng = np.random.default_rng(0)
    flow, _ = scene(STILL, (STILL, STILL))
    wild = replace(flow, flow=rng.normal(0, 20, flow.flow.shape).astype(np.float32))
    assert estimate_ego(wild, CAMERA, rng) is None
    assert find(wild).reason is not None


@pytest.mark.parametrize("ego", [FORWARD, STILL])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_a_translating_box_is_found_and_the_static_one_is_not(ego, noise):
    flow, label = scene(ego, (shift(0.5), STILL), noise)
    result = find(flow)
    assert len(result.objects) == 1 and result.reason is None
    assert iou(result.instances == 1, label == 1) > 0.9
    assert result.ego == pytest.approx(se3.inverse(ego), abs=0.01)
    item = result.objects[0]
    moved = se3.apply(item.transform, np.array(item.centroid_m)) - item.centroid_m
    assert moved == pytest.approx([0.5, 0, 0], abs=0.12) and item.centroid_m[2] == pytest.approx(12, abs=0.3)


def test_a_turning_box_is_kept():
    """The published background test deletes what turns by more than 0.04 rad a frame."""
    flow, label = scene(FORWARD, (shift(-0.4, 0.3), spin(0.4, BOXES[1][2], 225)))
    result = find(flow)
    assert max(iou(result.instances == o.id, label == 1) for o in result.objects) > 0.9
    assert ((result.instances > 0) & (label == 2)).sum() > 0.6 * (label == 2).sum()
    assert not ((result.instances > 0) & (label == 0)).any()


def test_nothing_moves():
    flow, _ = scene(FORWARD, (STILL, STILL), noise=0.15)
    result = find(flow)
    assert not result.objects and not result.instances.any() and result.reason == "nothing moves against the static scene"


def test_no_valid_pixel_is_a_reason_and_no_fault():
    flow, _ = scene(FORWARD, (STILL, STILL))
    result = find(replace(flow, flow_ok=np.zeros_like(flow.flow_ok)))
    assert result.ego is None and result.reason


def test_the_result_depends_on_seed_and_key_only():
    flow, _ = scene(FORWARD, (shift(0.5), shift(0, -0.5)), noise=0.15)
    first = find(flow, "000007")
    find(flow, "000008")
    again = find(flow, "000007")
    assert (first.instances == again.instances).all() and frame_json(first) == frame_json(again)


def test_fit_recovers_a_motion_among_outliers():
    motion = se3.transform(se3.rotation(np.array([0.01, -0.02, 0.005])), np.array([0.1, 0.02, -0.4]))
    flow, _ = scene(motion, (shift(2.0), shift(-2.0)))
    where = np.zeros(flow.flow_ok.shape, bool)
    where[25::9, 5::9] = True
    samples = samples_at(flow, CAMERA, where)
    own, covariance = fit(CAMERA, samples.pick(np.arange(len(samples.rays))[None]), np.eye(4), FitOptions(np.zeros(3), steps=25))
    assert own[0] == pytest.approx(motion, abs=2e-3)
    assert (np.linalg.eigvalsh(covariance[0]) > 0).all()


def test_chi_square_by_hand():
    """One pixel, no motion: (1 / 0.5)^2 for the flow and, with equal noise of both disparities, 0.4^2 / (0.1^2 + 0.1^2)."""
    flow, _ = scene(STILL, (STILL, STILL))
    where = np.zeros(flow.flow_ok.shape, bool)
    where[70, 60] = True
    samples = samples_at(flow, CAMERA, where)
    samples = replace(samples, target=samples.target + [1.0, 0, 0.4], sigma=np.array([[0.5, 0.5, 0.1]]), source_sigma=np.array([0.1]))
    assert chi_square(CAMERA, np.eye(4), samples) == pytest.approx([4 + 0.16 / 0.02], rel=1e-4)
    behind = se3.transform(np.eye(3), np.array([0, 0, -50.0]))
    assert np.isinf(chi_square(CAMERA, behind, samples)).all()


@dataclass(frozen=True)
class Walk:
    """A made-up sequence of results: one object on its way, the camera drives 1 m a frame."""

    shifts: tuple[float, ...]

    def results(self) -> list[MotionResult]:
        out, x = [], 0.0
        for i, step in enumerate(self.shifts):
            instances = np.zeros((4, 6), np.uint16)
            instances[1, 2] = 1
            item = MovingObject(1, None, 1.0, 1, shift(step), (x, 1.0, 20.0 - i), "residual")
            out.append(MotionResult(f"{i:06d}", i, instances, shift(0, 1.0), (item,), None))
            x += 0.5
        return out


def test_tracks_follow_own_and_camera_motion_over_a_gap():
    results = Walk((0.5, 0.5, 0.5, 0.5)).results()
    results[1] = replace(results[1], objects=(), reason="hidden")
    ids = [[o.track_id for o in r.objects] for r in track(results, [True, True, True, False])]
    assert ids == [[1], [], [1], [1]]
    assert [r.objects[0].track_id for r in track(Walk((0.5, 0.5)).results(), [False, False])] == [1, 2]


def test_unconfirmed_objects_are_left_out():
    follows = [True, True, True, False]
    kept = list(keep_supported(track(Walk((0.5, -0.6, 0.5, 0.5)).results(), follows), follows, 700.0))
    assert [len(r.objects) for r in kept] == [1, 0, 1, 1]
    assert not kept[1].instances.any() and "confirms" in kept[1].reason
    alone = list(keep_supported(track(Walk((0.5,)).results(), [False]), [False], 700.0))
    assert len(alone[0].objects) == 1


def test_what_swells_or_stays_behind_its_motion_is_left_out():
    follows = [True, True, True, False]

    def left(change) -> list[int]:
        results = [replace(r, objects=tuple(change(i, o) for o in r.objects)) for i, r in enumerate(Walk((0.5, 0.5, 0.5, 0.5)).results())]
        return [len(r.objects) for r in keep_supported(track(results, follows), follows, 700.0)]

    assert left(lambda i, o: o) == [1, 1, 1, 1]
    assert left(lambda i, o: replace(o, pixels=200 * 4**i)) == [0, 0, 0, 0]
    assert left(lambda i, o: replace(o, centroid_m=(-0.2 * i, *o.centroid_m[1:]))) == [0, 0, 0, 0]  # its motion points the other way


def test_memory_does_not_grow_with_the_length_of_a_recording():
    live: list[int] = []

    def frames() -> Iterator[MotionResult]:
        for i in range(60):
            result = replace(Walk((0.5,)).results()[0], key=f"{i:06d}")
            live.append(i)
            weakref.finalize(result.instances, live.remove, i)
            yield result
            del result

    follows = [True] * 59 + [False]
    held = [len(live) for _ in keep_supported(track(frames(), follows), follows, 700.0)]
    assert len(held) == 60 and max(held) <= 8


def test_json_of_a_frame_comes_back():
    result = find(scene(FORWARD, (shift(0.5), STILL))[0])
    again = result_from(frame_json(result), result.instances)
    assert again.objects[0].transform == pytest.approx(result.objects[0].transform)
    assert frame_json(again) == frame_json(result)


def test_reading_a_missing_folder_names_it(tmp_path):
    with pytest.raises(Exception, match="motion.json"):
        read_motion(tmp_path)


BOTH = shift(0.5), shift(-0.4, 0.3)


def found_with(flow: SceneFlow, before: SceneFlow) -> MotionResult:
    """`before`: flow from t to t-1."""
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    return find_moving_objects(flow, StereoFrame("000000", 0, image, image, CAMERA), MotionConfig(), 1, 0.1, before=Before(before, 0.1))


def test_what_came_from_where_its_motion_takes_it_back_is_kept() -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (se3.inverse(BOTH[0]), se3.inverse(BOTH[1])))
    result = found_with(flow, before)
    assert {int(np.median(label[result.instances == o.id])) for o in result.objects} == {1, 2}


def test_what_stood_still_before_is_refuted() -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, se3.inverse(BOTH[1])))
    result = found_with(flow, before)
    assert [int(np.median(label[result.instances == o.id])) for o in result.objects] == [2]


def test_nothing_is_refuted_where_nothing_was_measured() -> None:
    flow, label = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, STILL))
    before.flow_ok[label > 0] = False
    assert len(found_with(flow, before).objects) == 2


def test_all_refuted_is_told() -> None:
    flow, _ = scene(FORWARD, BOTH)
    before, _ = scene(se3.inverse(FORWARD), (STILL, STILL))
    result = found_with(flow, before)
    assert not result.objects
    assert result.reason == "the frame before refutes all 2 candidates"
