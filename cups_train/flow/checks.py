"""Measured fields checked against one another: what is left is scene flow, with what the checks say about its noise."""

from __future__ import annotations

import numpy as np

from cups_train.flow.dis import consistent
from cups_train.flow.fields import Fields
from cups_train.flow.sgm import CHECK_PX
from cups_train.geometry.warp import warp
from cups_train.types import SceneFlow

FLOW_SIGMA = 0.2  # px, best case of the matcher
DISPARITY_SIGMA = 0.2  # px


def checked(fields: Fields) -> SceneFlow:
    """Check the fields against one another and fetch the disparity at the end of the flow; fields and scene flow are
    maps of (H, W) pixels."""
    forward, back, sure = fields.flow.forward, fields.flow.back, fields.flow.sure
    round_trip = np.linalg.norm(forward + back, axis=-1)
    flow_ok = consistent(forward, back, sure)
    disparity, error = fields.now.px, fields.now.error
    ok = error < CHECK_PX
    next_ok, _ = warp((fields.after.error < CHECK_PX).astype(np.float32), forward)
    fetched, _ = warp(fields.after.px, forward)
    nearest, _ = warp(fields.after.px, forward, nearest=True)
    smooth = np.abs(fetched - nearest) < 0.25 + 0.03 * nearest  # bilinear across a depth step is no depth
    return SceneFlow(
        flow=forward.astype(np.float32),
        disparity=np.where(ok, disparity, 0).astype(np.float32),
        disparity_next=fetched.astype(np.float32),
        flow_ok=flow_ok,
        disparity_ok=ok & (disparity > 0),
        disparity_next_ok=sure & (next_ok > 0.999) & smooth & flow_ok,
        flow_sigma=np.hypot(FLOW_SIGMA, np.minimum(round_trip, 50) / 2).astype(np.float32),
        disparity_sigma=np.hypot(DISPARITY_SIGMA, np.minimum(error, CHECK_PX) / 2).astype(np.float32),
    )
