"""What the images themselves say: does an object's motion fit the grey values better, and where is its outline?"""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.boxes import window_of
from cups_train.geometry.warp import bilinear
from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import Proposal
from cups_train.motion.rigid_fit import predict

WORSE = 1.15  # the static scene's grey error must exceed the object's by this factor ...
OFFSET = 0.8  # ... and this many grey levels
BAND = 8  # px at unit scale, how far an outline may move


def grey_test(evidence: Evidence, proposal: Proposal, mask: np.ndarray, images: tuple[np.ndarray, np.ndarray]) -> bool:
    """True where fetching the next left image by the object's motion fits clearly better than by the static scene's.

    images: (H, W, 3) uint8 RGB, left, at t and t+1.
    """
    static, own = grey_errors(evidence, proposal, mask, images)
    return static > WORSE * own + OFFSET


def grey_errors(
    evidence: Evidence, proposal: Proposal, mask: np.ndarray, images: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float]:
    """Mean grey error of the static scene's motion and of the object's own, over the measured pixels of a mask; both 0
    with fewer than 20.

    mask: (H, W) bool; images: (H, W, 3) uint8.
    """
    where = mask & ~np.isnan(evidence.chi)
    if where.sum() < 20:
        return 0.0, 0.0
    grey = [cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (3, 3), 0) for image in images]
    index = np.flatnonzero(where.ravel())
    samples = evidence.samples.pick(index)
    ends = [
        predict(evidence.camera, motion, samples.rays, samples.inverse_depth)[0][:, :2]
        for motion in (evidence.ego.motion, evidence.ego.motion @ proposal.own)
    ]
    error, seen = [], np.ones(len(index), bool)
    for end in ends:
        fetched, inside = _fetch(grey[1], end)
        seen &= inside
        error.append(np.abs(fetched - grey[0][where]))
    static, own = (float(e[seen].mean()) if seen.any() else 0.0 for e in error)
    return static, own


def _fetch(image: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) of an image (H, W) float32 at (N, 2) positions [px], and (N,) bool, which lie inside."""
    inside: np.ndarray = np.all((at >= 0) & (at <= np.array(image.shape[::-1]) - 1), axis=-1)
    return bilinear(image, *np.where(inside[:, None], at, 0).T), inside


def snap(mask: np.ndarray, image: np.ndarray, free: np.ndarray, unit: float) -> np.ndarray:
    """Move the outline of `mask` (H, W) to edges of colour (graph cut, GrabCut) within a narrow band; `free` bars
    pixels of other objects."""
    band = max(2, round(BAND * unit))
    box = window_of(mask, 3 * band)
    inner = mask[box].astype(np.uint8)
    depth_in = cv2.distanceTransform(np.pad(inner, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    depth_out = cv2.distanceTransform(1 - inner, cv2.DIST_L2, 3)
    sure = depth_in > min(band, 0.5 * float(depth_in.max()))
    state = np.where(inner > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[sure], state[(depth_out > band) | ~free[box]] = cv2.GC_FGD, cv2.GC_BGD
    if not (state == cv2.GC_BGD).any() or not sure.any():
        return mask
    cv2.setRNGSeed(1)
    cv2.grabCut(
        np.ascontiguousarray(image[box][..., ::-1]),
        state,
        None,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        2,
        cv2.GC_INIT_WITH_MASK,
    )
    cut = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
    out = np.zeros_like(mask)
    out[box] = _main_part(cut)
    return out if 0.5 * mask.sum() < out.sum() < 1.8 * mask.sum() else mask


def _main_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask (h, w) bool."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return label == 1 + stats[1:, cv2.CC_STAT_AREA].argmax() if count > 1 else mask
