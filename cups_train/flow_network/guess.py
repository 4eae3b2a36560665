"""First guesses for the refinement: what classical matching says of a pair, filled, with the length of its round trip."""
from __future__ import annotations

from typing import Literal

import numpy as np

from cups_train.geometry.scene_flow import ClassicalMatcher
from cups_train.geometry.stereo import fill_disparity, left_right_check
from cups_train.types import StereoFrame

Kind = Literal["flow", "left", "right"]  # from one left image to another; from the left image to the right one; from the right to the left
FAR = 30.0  # px, the round trip of what was not matched at all
CHECK = 1.0  # px

Guess = tuple[np.ndarray, np.ndarray]  # (H, W, 2) float32 px, and (H, W) float32 px, the round trip


def guess(matcher: ClassicalMatcher, kind: Kind, frames: tuple[StereoFrame, ...]) -> Guess:
    """frames: two for flow, one for stereo."""
    if kind == "flow":
        forward, back, sure = matcher.flow(frames[0], frames[1])
        trip = np.where(sure, np.linalg.norm(forward + back, axis=-1), FAR)
        return forward.astype(np.float32), np.minimum(trip, FAR).astype(np.float32)
    from_left, from_right = matcher.both_disparities(frames[0])
    if kind == "left":
        disparity, error = left_right_check(from_left, from_right)
    else:  # the same seen in a mirror
        mirrored = left_right_check(*(np.ascontiguousarray(field[:, ::-1]) for field in (from_right, from_left)))
        disparity, error = (np.ascontiguousarray(field[:, ::-1]) for field in mirrored)
    filled = fill_disparity(disparity, error < CHECK)
    field = np.stack([-filled if kind == "left" else filled, np.zeros_like(filled)], -1)
    return field.astype(np.float32), np.minimum(error, FAR).astype(np.float32)
