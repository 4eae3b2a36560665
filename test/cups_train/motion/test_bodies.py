"""Two bodies in one mask, on depth that is worked out from their geometry and blurred as a matcher blurs it."""

import cv2
import numpy as np

from cups_train.geometry.ground import Ground
from cups_train.motion.bodies import bodies
from cups_train.motion.ego import Ego
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.types import SceneFlow, StereoCamera

CAMERA = StereoCamera(160, 320, 704.0, 704.0, 159.5, 70.0, 0.22)


def evidence_of(depth: np.ndarray, sigma: float = 0.2) -> Evidence:
    """A still pair with this depth [m], smoothed over 5 px; the ground lies 1.4 m under the camera."""
    disparity = cv2.blur((CAMERA.depth_scale / depth).astype(np.float32), (5, 5))
    full = np.full(depth.shape, sigma, np.float32)
    ok = np.ones(depth.shape, bool)
    flow = SceneFlow(np.zeros((*depth.shape, 2), np.float32), disparity, disparity, ok, ok, ok, full, full)
    ego, ground = Ego(np.eye(4), np.array([0.2, 0.2])), Ground(np.array([0.0, 1.0, 0.0]), 1.4)
    return gather(flow, CAMERA, ego, ground, scales_of(flow, CAMERA, 0.1, 70, 0.2))


def car_before_bus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, the car's mask at 15 m and what is seen of the bus behind it at 24 m."""
    car, bus = np.zeros((160, 320), bool), np.zeros((160, 320), bool)
    car[70:120, 40:110], bus[30:105, 60:130] = True, True
    return np.where(car, 15.0, np.where(bus, 24.0, 60.0)), car, bus & ~car


def test_a_bus_behind_a_car_is_a_body_of_its_own() -> None:
    depth, car, bus = car_before_bus()
    parts = bodies(evidence_of(depth), car | bus)
    assert len(parts) == 2
    assert (parts[0] | parts[1] == car | bus).all()
    for part, true in zip(parts, (car, bus), strict=True):
        assert (part & true).sum() / (part | true).sum() > 0.9


def test_the_long_side_of_a_bus_stays_with_its_face() -> None:
    mask = np.zeros((160, 320), bool)
    mask[30:105, 60:130] = True
    aside = 2.5  # m, the side's distance from the camera's axis: a column u sees it at f x / (cx - u)
    side = CAMERA.fx * aside / np.maximum(CAMERA.cx - np.arange(320.0), 1)
    depth = np.where(mask, np.maximum(side, 20.0)[None], 60.0)
    assert depth[mask].max() - depth[mask].min() > 30  # much more than between two bodies
    assert len(bodies(evidence_of(depth), mask)) == 1


def test_steps_within_the_noise_of_far_depth_split_nothing() -> None:
    depth, car, bus = car_before_bus()
    assert len(bodies(evidence_of(np.where(depth < 60, 20 + depth, 60.0)), car | bus)) == 2  # 35 m and 44 m: 0.9 px
    assert len(bodies(evidence_of(np.where(depth < 60, 25 + depth, 60.0)), car | bus)) == 1  # 40 m and 49 m: 0.7 px
