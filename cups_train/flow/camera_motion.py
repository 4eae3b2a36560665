"""The flow that the camera's own motion would give everything that stands still."""

from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry import se3
from cups_train.geometry.camera import pixel_grid, points_of, rays
from cups_train.types import StereoCamera

GRID = 5 / 640  # of the image width: distance of the points that the motion is found from
TOLERANCE = 1.0 / 640  # of the image width: largest distance of an inlier from its prediction
NEAR = 1.0  # px, smallest disparity of a point that takes part
TRIALS = 200
FEWEST = 50


def camera_motion(camera: StereoCamera, flow: np.ndarray, disparity: np.ndarray, ok: np.ndarray) -> np.ndarray | None:
    """Where points of the static scene go, in the camera's frames: (4, 4) metres; None where too few points agree.

    flow: (H, W, 2) px, disparity: (H, W) px, ok: (H, W) bool, both are known. Perspective-n-point by random samples,
    then by least squares.
    """
    step = max(1, round(GRID * camera.width))
    usable = (ok & (disparity > NEAR))[::step, ::step]
    v, u = (step * at for at in np.nonzero(usable))
    if len(u) < FEWEST:
        return None
    points = points_of(camera, u, v, disparity[v, u])
    ends = np.stack([u, v], -1) + flow[v, u].astype(np.float64)
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    found, turn, shift, inliers = cv2.solvePnPRansac(
        points,
        ends,
        matrix,
        None,
        iterationsCount=TRIALS,
        reprojectionError=TOLERANCE * camera.width,
        flags=cv2.SOLVEPNP_EPNP,
    )
    if not found or inliers is None or len(inliers) < FEWEST:
        return None
    rows = inliers[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[rows], ends[rows], matrix, None, turn, shift)
    return se3.transform(se3.rotation(turn[:, 0]), shift[:, 0])


def rigid_flow(camera: StereoCamera, motion: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 px. motion: (4, 4), as above; disparity: (H, W) px, 0 = infinitely far."""
    u, v = pixel_grid(*disparity.shape)
    ends = (
        rays(camera, u, v).astype(np.float64) @ motion[:3, :3].T
        + motion[:3, 3] * (disparity / camera.depth_scale)[..., None]
    )
    depth = np.maximum(ends[..., 2], 1e-3)  # what passes the camera has no flow; the images refute it
    return np.stack(
        [ends[..., 0] / depth * camera.fx + camera.cx - u, ends[..., 1] / depth * camera.fy + camera.cy - v], -1
    ).astype(np.float32)
