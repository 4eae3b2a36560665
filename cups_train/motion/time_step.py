"""What is known of a frame and of the steps from it to its neighbours in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.types import SceneFlow, StereoFrame


@dataclass(frozen=True, eq=False)
class Before:
    """Scene flow from t to t-1, measured by itself: its errors are not those of the flow to t+1."""

    flow: SceneFlow
    step_s: float  # s from t-1 to t


@dataclass(frozen=True, eq=False)
class TimeStep:
    """From t to t+1."""

    now: StereoFrame
    flow: SceneFlow
    step_s: float  # s
    # (H, W, 3) uint8 RGB at t+1: refutes false motion, `now` sharpens outlines; None where flow is exact
    next_left: np.ndarray | None = None
    prior: np.ndarray | None = None  # (4, 4) m: pose of the left camera at t+1 in its frame at t as odometry tells it
    before: Before | None = None  # may refute objects
