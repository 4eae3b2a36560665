"""Bodies one behind the other: they move alike and touch in the picture, but depth steps along most of the line between
them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_ros.boxes import window_of
from cups_train.motion.evidence import Evidence
from cups_train.motion.links import components
from cups_train.motion.propose import Proposal, fit_region

# m, least distance in depth of the middles of two bodies, of which the further one looks out over the nearer one ...
MIDDLES = 3.5
MIDDLES_BESIDE = 6.0  # m, ... or lies beside it, as the long side of one body would
TALLER = 0.8  # m by which it then is taller
MIDDLES_PX = 0.8  # px of disparity, the same, for depth is uncertain where it is large
GAP = 1.8  # m, least step of depth between them
SIDE = 1.5  # times the change of depth along a side that is parallel to the camera's axis: more is a step
AHEAD = 1.0  # m, lateral position within which bodies show their backs, hardly a side ...
AHEAD_SIDE = 4.0  # m, ... which accounts for this much at most
NOISE = 0.5  # px of disparity, below which nothing is a step
WINDOW = 3  # px at unit scale, over which a step is measured to both sides: matchers blur it
RIM = 2  # px at unit scale, along the outline, where depth runs over into the background
STEEP = 0.5  # share of the line between two bodies along which depth steps
PART = 0.12  # least share of the pixels that a body must have to be told from another
SPECK = 0.15  # of the largest part of a body, below which a part says nothing of its own
CUTS = 16  # disparities that are tried as the border

Box = tuple[slice, slice]


def split(evidence: Evidence, proposals: list[Proposal], rng: np.random.Generator) -> list[Proposal]:
    """Proposals that hold two bodies as two. Only estimated depth needs it: exact depth is not linked across such a
    step."""
    if not evidence.scales.rough:
        return proposals
    found = []
    for proposal in proposals:
        masks = bodies(evidence, proposal.mask)
        parts = (
            [p for mask in masks if (p := fit_region(evidence, mask, rng, proposal.source)) is not None]
            if len(masks) > 1
            else []
        )
        found += parts or [proposal]
    return found


def bodies(evidence: Evidence, mask: np.ndarray) -> list[np.ndarray]:
    """The mask (H, W) bool, or its parts before and behind the disparity along whose contour depth steps most."""
    box = window_of(mask, 2)
    # without single wrong pixels
    disparity = cv2.medianBlur(np.ascontiguousarray(evidence.flow.disparity[box], dtype=np.float32), 5)
    size = 2 * max(1, round(RIM * evidence.scales.unit)) + 1
    inner = (cv2.erode(mask[box].astype(np.uint8), np.ones((size, size), np.uint8)) > 0) & (disparity > 0)
    least = max(evidence.scales.min_pixels, PART * inner.sum())
    if inner.sum() < 2 * least:
        return [mask]
    cut = _cut(evidence, box, disparity, _Search(inner, _steep(evidence, box, disparity, inner), least))
    if cut is None:
        return [mask]
    seeds = []
    for side in (inner & (disparity > cut), inner & (disparity <= cut)):
        seed = np.zeros_like(mask)
        seed[box] = side
        seeds.append(_without_specks(evidence, seed))
    return [mask] if min(seed.sum() for seed in seeds) < least else _shared_out(mask, seeds)


@dataclass(frozen=True, eq=False)
class _Search:
    """Where two bodies may part."""

    inner: np.ndarray  # (h, w) bool, the mask without its rim
    steep: np.ndarray  # (h, w) bool, where depth steps
    least: float  # pixels of a body


def _cut(evidence: Evidence, box: Box, disparity: np.ndarray, search: _Search) -> float | None:
    """The disparity at which two bodies part, or None. disparity: (h, w) px."""
    inner, steep, least = search.inner, search.steep, search.least
    if not steep.any():
        return None
    best, cut = STEEP, None
    for border in np.quantile(disparity[inner], np.linspace(0.1, 0.9, CUTS)):
        near = inner & (disparity > border)
        if min(near.sum(), inner.sum() - near.sum()) < least:
            continue
        right = (near[:, :-1] ^ near[:, 1:]) & inner[:, :-1] & inner[:, 1:]
        down = (near[:-1] ^ near[1:]) & inner[:-1] & inner[1:]
        share = (steep[:, :-1][right].sum() + steep[:-1][down].sum()) / max(right.sum() + down.sum(), 1)
        if share > best and _apart(evidence, box, disparity, (near, inner & ~near)):
            best, cut = share, float(border)
    return cut


def _apart(evidence: Evidence, box: Box, disparity: np.ndarray, parts: tuple[np.ndarray, np.ndarray]) -> bool:
    """Do the middles of two parts, the nearer first, lie further apart than those of the faces of one body? disparity
    and parts: (h, w)."""
    near, far = (float(np.median(disparity[part])) for part in parts)
    heights = [evidence.height[box][part] for part in parts]
    known = all((~np.isnan(height)).any() for height in heights)
    taller = known and float(np.diff([np.nanquantile(height, 0.95) for height in heights])[0]) > TALLER
    least = MIDDLES if taller else MIDDLES_BESIDE
    return near - far > MIDDLES_PX and evidence.camera.depth_scale * (1 / far - 1 / near) > least


def _steep(evidence: Evidence, box: Box, disparity: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels of `inner` around which depth changes by more than it does along the side of a body.

    Along a side that is parallel to the camera's axis dz / du = z^2 / (f |x|), with x the lateral position.
    """
    reach = max(2, round(WINDOW * evidence.scales.unit))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    most = cv2.dilate(np.where(inner, disparity, 0).astype(np.float32), kernel)
    least = cv2.erode(np.where(inner, disparity, 1e6).astype(np.float32), kernel)
    camera = evidence.camera
    near, far = camera.depth_scale / np.maximum(most, 1e-3), camera.depth_scale / np.maximum(least, 1e-3)
    columns = np.arange(box[1].start, box[1].start + inner.shape[1])
    aside = np.maximum(np.abs(columns - camera.cx) / camera.fx, 1e-3)  # |x| / z
    side = SIDE * 2 * reach * near / (camera.fx * aside)
    side = np.where(aside * near < AHEAD, np.minimum(side, AHEAD_SIDE), side)
    steep: np.ndarray = inner & (far - near > np.maximum(GAP, side)) & (most - least > NOISE)
    return steep


def _without_specks(evidence: Evidence, side: np.ndarray) -> np.ndarray:
    """Only the parts that are not much smaller than the largest: what hides the middle of a body leaves several. (H, W)
    bool -> (H, W) bool."""
    label, count = components(side, evidence.links)
    size = np.bincount(label.ravel(), minlength=count + 1)
    size[0] = 0
    kept: np.ndarray = np.isin(label, np.flatnonzero(size >= SPECK * size.max())) & (label > 0)
    return kept


def _shared_out(mask: np.ndarray, seeds: list[np.ndarray]) -> list[np.ndarray]:
    """Every pixel of the mask goes to the seed that is nearest in the picture. mask and seeds: (H, W) bool."""
    box = window_of(mask, 2)
    owner = np.stack([cv2.distanceTransform(1 - seed[box].astype(np.uint8), cv2.DIST_L2, 3) for seed in seeds]).argmin(
        0
    )
    out = []
    for k in range(len(seeds)):
        part = np.zeros_like(mask)
        part[box] = mask[box] & (owner == k)
        out.append(part)
    return out
