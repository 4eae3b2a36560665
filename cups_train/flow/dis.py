"""Dense optical flow by inverse search (DIS) in several settings, both ways, fused and checked."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cups_train.flow.select import fuse, look_at
from cups_train.geometry.warp import warp

# (finest scale, patch size, patch stride): the usual one; fine detail; large patches that bridge surfaces without
# texture
SETTINGS = ((1, 8, 3), (0, 8, 3), (1, 12, 4))
REFINEMENTS = 5  # of a predicted flow


def optical_flow(now: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow from one left image to the next.

    now, after: (H, W, 3) uint8 RGB -> flow (H, W, 2) float32 px, ok (H, W) bool (both directions agree).
    """
    grey = grey_of(now), grey_of(after)
    onward, backward = candidates(*grey), candidates(*grey[::-1])
    forward, _ = fuse(onward, backward, look_at(grey[0]), look_at(grey[1]))
    back, inside = nearest_back(forward, backward)
    return forward, consistent(forward, back, inside)


def candidates(here: np.ndarray, there: np.ndarray) -> list[np.ndarray]:
    """Unchecked flows from `here` to `there`, (H, W) uint8 grey each: fields (H, W, 2) float32 px."""
    return [_dis(here, there, *setting) for setting in SETTINGS]


def measured_near(predicted: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The flow that the grey values show around a predicted one (variational refinement): (H, W, 2) float32 px."""
    refinement = cv2.VariationalRefinement.create()
    refinement.setFixedPointIterations(REFINEMENTS)
    flow = predicted.astype(np.float32, copy=True)
    refinement.calc(here, there, flow)
    return flow


def nearest_back(forward: np.ndarray, backward: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What the flows of the way back say at the end of `forward`, at each pixel the one that leads closest to the
    start.

    -> (H, W, 2) float32 px, and (H, W) bool, True where the end lies inside the picture.
    """
    fetched = np.stack([warp(field, forward)[0] for field in backward])
    best = np.square(forward + fetched).sum(-1).argmin(0)
    return np.take_along_axis(fetched, best[None, ..., None], 0)[0], warp(forward, forward, nearest=True)[1]


def consistent(forward: np.ndarray, back: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """|f + b|^2 < 0.01 (|f|^2 + |b|^2) + a, b already fetched at the end of f; a = 0.5 px^2 at 1280 px width (the
    published test).

    forward, back: (H, W, 2) px; inside: (H, W) bool -> (H, W) bool.
    """
    offset = 0.5 * max(forward.shape[1] / 1280, 0.5) ** 2 * 2
    size = (forward**2).sum(-1) + (back**2).sum(-1)
    return inside & (((forward + back) ** 2).sum(-1) < 0.01 * size + offset)


def grey_of(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _dis(here: np.ndarray, there: np.ndarray, finest: int, patch: int, stride: int) -> np.ndarray:
    """(H, W) uint8 grey each -> (H, W, 2) float32 px."""
    matcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    matcher.setFinestScale(finest)
    matcher.setPatchSize(patch)
    matcher.setPatchStride(stride)
    return matcher.calc(here, there, None)  # type: ignore[call-overload, no-any-return, unused-ignore]
