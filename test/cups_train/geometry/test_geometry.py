"""Rays, rigid motions, the warp, the ground plane and the readers of given flow, against values worked out by hand or by another way."""
import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cups_train.config import MotionConfig
from cups_train.errors import ResultError
from cups_train.files import write_image
from cups_train.flow.classical import scene_flow
from cups_train.flow.given import given_flow, has_given
from cups_train.flow.sgm import disparity, fill_disparity
from cups_train.geometry import se3
from cups_train.geometry.camera import back_project, project
from cups_train.geometry.ground import find_ground
from cups_train.geometry.warp import warp
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(width=64, height=48, fx=50.0, fy=40.0, cx=31.5, cy=20.0, baseline=0.2)


def test_back_projection_of_one_pixel_by_hand():
    points = back_project(CAMERA, np.full((48, 64), 2.0, np.float32))
    assert points[30, 61] == pytest.approx([5 * 29.5 / 50, 5 * 10 / 40, 5.0])  # depth = 50 * 0.2 / 2


def test_no_disparity_is_no_point_and_projection_inverts():
    disp = np.full((48, 64), 2.0, np.float32)
    disp[0, 0] = 0
    points = back_project(CAMERA, disp)
    assert np.isnan(points[0, 0]).all()
    u, v, d = project(CAMERA, points)
    assert (u[7, 9], v[7, 9], d[7, 9]) == pytest.approx((9, 7, 2), abs=1e-4)
    assert np.isnan(project(CAMERA, np.array([0.0, 0.0, -3.0]))[0])


def test_rotation_agrees_with_scipy_also_near_zero():
    vectors = np.array([[0.3, -0.2, 0.9], [1e-9, 0, 0], [0, 0, 0], [0, 3.1, 0]])
    assert se3.rotation(vectors) == pytest.approx(Rotation.from_rotvec(vectors).as_matrix(), abs=1e-12)
    assert se3.rotation_angle(se3.rotation(vectors)) == pytest.approx(np.linalg.norm(vectors, axis=1), abs=1e-9)


def test_fit_points_returns_the_motion_and_no_mirror_image():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 6, 3))
    a[1, :, 2] = 0  # a plane: the reflected solution fits as well
    want = se3.transform(se3.rotation(rng.normal(size=(4, 3))), rng.normal(size=(4, 3)))
    b = np.stack([se3.apply(m, p) for m, p in zip(want, a, strict=True)])
    assert se3.fit_points(a, b) == pytest.approx(want, abs=1e-9)
    assert se3.inverse(want) @ want == pytest.approx(np.broadcast_to(np.eye(4), (4, 4, 4)), abs=1e-12)


def test_warp_is_exact_at_both_borders():
    """A ramp shifted by a quarter pixel: a half-pixel shear would show at the borders."""
    ramp = np.repeat(np.arange(20, dtype=np.float32)[None], 5, 0)
    flow = np.zeros((5, 20, 2), np.float32)
    flow[..., 0] = 0.25
    out, inside = warp(ramp, flow)
    assert out[:, :-1] == pytest.approx(ramp[:, :-1] + 0.25)
    assert inside[:, :-1].all() and not inside[:, -1].any()


def test_disparity_of_a_shifted_texture_reaches_the_left_border_of_what_both_see():
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (64, 220, 3), np.uint8).astype(np.float32), (5, 5), 1).astype(np.uint8)
    left, right = texture[:, :200], texture[:, 7:207]  # a point at left column x is at right column x - 7
    found, ok = disparity(left, right, 0.15)
    assert np.median(found[ok]) == pytest.approx(7, abs=0.1)
    assert ok[:, 12:190].mean() > 0.9 and not ok[:, :5].any()


def test_filling_takes_the_further_neighbour():
    disp = np.array([[9, 0, 4, 0], [0, 0, 0, 0]], np.float32)
    assert fill_disparity(disp, disp > 0).tolist() == [[9, 4, 4, 4], [9, 4, 4, 4]]
    assert not fill_disparity(np.ones((2, 2), np.float32), np.zeros((2, 2), bool)).any()


def test_scene_flow_of_two_shifted_frames():
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (128, 300, 3), np.uint8).astype(np.float32), (0, 0), 1.5)
    texture = np.clip(4 * (texture - 128) + 128, 0, 255).astype(np.uint8)
    camera = StereoCamera(256, 128, 200, 200, 128, 64, 0.2)
    now = StereoFrame("000000", 0, texture[:, 20:276], texture[:, 26:282], camera)
    after = StereoFrame("000001", 1, texture[:, 17:273], texture[:, 23:279], camera)  # everything 3 px to the right
    flow = scene_flow(now, after, MotionConfig())
    good = flow.flow_ok & flow.disparity_ok & flow.disparity_next_ok
    assert good.mean() > 0.6
    assert np.median(flow.flow[good], 0) == pytest.approx([3, 0], abs=0.15)
    assert np.median(flow.disparity[good]) == pytest.approx(6, abs=0.1)
    assert np.median(flow.disparity_next[good]) == pytest.approx(6, abs=0.1)


def _street(camera: StereoCamera, normal: np.ndarray, height: float) -> np.ndarray:
    v, u = np.mgrid[:camera.height, :camera.width]
    slope = normal[0] * (u - camera.cx) / camera.fx + normal[1] * (v - camera.cy) / camera.fy + normal[2]
    return np.maximum(camera.depth_scale / height * slope, camera.depth_scale / 40)  # a wall at 40 m closes the street


def test_ground_behind_half_a_picture_of_obstacles():
    camera = StereoCamera(320, 160, 350, 350, 159.5, 70, 0.22)
    normal = np.array([0.03, 0.998, 0.05]) / np.linalg.norm([0.03, 0.998, 0.05])
    disp = _street(camera, normal, 1.4)
    rng = np.random.default_rng(0)
    disp[60:120, :140] = 9  # a wall to the left
    disp = (disp + rng.normal(0, 0.15, disp.shape)).astype(np.float32)
    ground = find_ground(camera, disp, rng.random(disp.shape) > 0.2, rng)
    assert ground is not None
    assert ground.normal == pytest.approx(normal, abs=0.01) and ground.height == pytest.approx(1.4, abs=0.03)
    assert abs(float(np.median(ground.height_over(camera, disp)[130:, :]))) < 0.03


def test_no_ground_in_front_of_a_wall():
    camera = StereoCamera(320, 160, 350, 350, 159.5, 70, 0.22)
    assert find_ground(camera, np.full((160, 320), 8, np.float32), np.ones((160, 320), bool), np.random.default_rng(0)) is None
    assert find_ground(camera, np.zeros((160, 320), np.float32), np.zeros((160, 320), bool), np.random.default_rng(0)) is None


def test_given_flow_decodes_kitti_and_names_a_file_that_does_not_fit(tmp_path):
    coded = np.zeros((4, 6, 3), np.uint16)
    coded[..., 0], coded[..., 1], coded[..., 2] = 32768 + 64 * 3, 32768 - 32, 1
    coded[0, 0, 2] = 0
    cv2.imwrite(str(tmp_path / "000003_flow.png"), coded[..., ::-1])
    write_image(tmp_path / "000003_disp.png", np.full((4, 6), 512, np.uint16))
    write_image(tmp_path / "000003_disp_next.png", np.full((4, 6), 640, np.uint16))
    flow = given_flow(tmp_path, "000003", (4, 6))
    assert flow.flow[2, 2].tolist() == [3.0, -0.5] and flow.disparity[1, 1] == 2 and flow.disparity_next[1, 1] == 2.5
    assert not flow.flow_ok[0, 0] and flow.flow_ok[1:].all()
    assert has_given(tmp_path, "000003") and not has_given(tmp_path, "000004")
    with pytest.raises(ResultError, match="--given"):
        given_flow(tmp_path, "000003", (4, 7))
