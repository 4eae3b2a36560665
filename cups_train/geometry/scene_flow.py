"""Scene flow of two stereo frames: optical flow, disparity now and disparity at the end of the flow."""
from __future__ import annotations

import numpy as np

from cups_train.config import MotionConfig
from cups_train.geometry.optical_flow import optical_flow
from cups_train.geometry.stereo import CHECK_PX, disparity_with_error
from cups_train.geometry.warp import warp
from cups_train.types import SceneFlow, StereoFrame

FLOW_SIGMA = 0.2  # px, best case of the matcher
DISPARITY_SIGMA = 0.2  # px


def scene_flow(now: StereoFrame, after: StereoFrame, config: MotionConfig) -> SceneFlow:
    """Correspondences from the frame `now` to `after` by classical matching, with what their checks say about their noise."""
    disparity, error = disparity_with_error(now.left, now.right, config.max_disparity)
    next_disparity, next_error = disparity_with_error(after.left, after.right, config.max_disparity)
    return join_flow(optical_flow(now.left, after.left), (disparity, error), (next_disparity, next_error))


def join_flow(flow: tuple[np.ndarray, np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> SceneFlow:
    """`flow`: field, check, round-trip error of `optical_flow`; `now`, `after`: disparity and error of `disparity_with_error` on their own pixels."""
    forward, flow_ok, round_trip = flow
    disparity, error = now
    ok = error < CHECK_PX
    next_ok, inside = warp((after[1] < CHECK_PX).astype(np.float32), forward)
    fetched, _ = warp(after[0], forward)
    nearest, _ = warp(after[0], forward, nearest=True)
    smooth = np.abs(fetched - nearest) < 0.25 + 0.03 * nearest  # bilinear across a depth step is no depth
    return SceneFlow(
        flow=forward.astype(np.float32), disparity=np.where(ok, disparity, 0).astype(np.float32), disparity_next=fetched.astype(np.float32),
        flow_ok=flow_ok, disparity_ok=ok & (disparity > 0), disparity_next_ok=inside & (next_ok > 0.999) & smooth & flow_ok,
        flow_sigma=np.hypot(FLOW_SIGMA, np.minimum(round_trip, 50) / 2).astype(np.float32),
        disparity_sigma=np.hypot(DISPARITY_SIGMA, np.minimum(error, CHECK_PX) / 2).astype(np.float32))
