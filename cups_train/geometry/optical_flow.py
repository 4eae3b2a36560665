"""Dense optical flow by inverse search (DIS), both ways, with a forward-backward check."""
from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry.warp import warp


def optical_flow(now: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow from one left image to the next.

    now, after: (H, W, 3) uint8 RGB -> flow (H, W, 2) float32 px, ok (H, W) bool (both directions agree), error (H, W) float32 px,
    the length of the round trip forward and back.
    """
    forward, backward = flow_both_ways(now, after)
    back, inside = warp(backward, forward)
    error = np.linalg.norm(forward + back, axis=-1).astype(np.float32)
    return forward, consistent(forward, back, inside), error


def flow_both_ways(now: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unchecked flow from `now` to `after` and from `after` to `now`, images as above: two fields (H, W, 2) float32 px."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (now, after)]
    return _dis(grey[0], grey[1]), _dis(grey[1], grey[0])


def consistent(forward: np.ndarray, back: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """|f + b|^2 < 0.01 (|f|^2 + |b|^2) + a, b already fetched at the end of f; a = 0.5 px^2 at 1280 px width (the published test)."""
    offset = 0.5 * max(forward.shape[1] / 1280, 0.5) ** 2 * 2
    size = (forward**2).sum(-1) + (back**2).sum(-1)
    return inside & (((forward + back) ** 2).sum(-1) < 0.01 * size + offset)


def _dis(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    matcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return matcher.calc(a, b, None)  # type: ignore[call-overload, no-any-return, unused-ignore]
