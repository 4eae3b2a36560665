"""Proposals from residual motion: connected pixels that the static scene does not explain, each with one rigid motion
of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.motion.evidence import Evidence
from cups_train.motion.links import components, motion_links
from cups_train.motion.rigid_fit import FitOptions, fit

ROTATION_RATE = 0.5  # rad/s, prior of an object's own rotation
MIN_SURE = 0.4  # share of a component that must surely move
FIT_PIXELS = 400
EXPLAINED = 30.0  # chi-square up to which a pixel follows a motion


@dataclass(frozen=True, eq=False)
class Proposal:
    """A set of pixels that move alike."""

    mask: np.ndarray  # (H, W) bool
    own: np.ndarray  # (4, 4) m, own motion in the left camera's frame at t
    covariance: np.ndarray  # (6, 6) of rotation about and displacement of the centre
    centre: np.ndarray  # (3,) m
    source: str

    @property
    def shift(self) -> np.ndarray:
        """(3,) m, displacement of the centre."""
        return self.own[:3, :3] @ self.centre + self.own[:3, 3] - self.centre


def propose(evidence: Evidence, rng: np.random.Generator) -> list[Proposal]:
    """Components of moving pixels; parts that a component's motion does not explain become proposals of their own."""
    scales = evidence.scales
    seeds = (np.nan_to_num(evidence.chi) > scales.low) & evidence.off_ground
    if scales.rough:
        seeds = _open(seeds, max(3, 2 * round(2 * scales.unit) + 1))
    depth, motion = evidence.links, motion_links(evidence.residual, evidence.flow.flow_sigma)
    links = depth[0] & motion[0], depth[1] & motion[1]
    found = []
    for mask in _sure_parts(seeds, links, evidence):
        proposal = fit_region(evidence, mask, rng, "residual")
        if proposal is None:
            continue
        follows = mask.copy()
        follows[mask] = ~(evidence.chi_at(proposal.own, mask) > EXPLAINED)
        rest = mask & ~follows
        if rest.sum() > max(scales.min_pixels, 0.1 * mask.sum()):
            found += [
                p
                for part in _sure_parts(rest, links, evidence)
                if (p := fit_region(evidence, part, rng, "residual")) is not None
            ]
            mask = follows
            proposal = fit_region(evidence, mask, rng, "residual") if mask.sum() >= scales.min_pixels / 2 else None
        if proposal is not None:
            found.append(proposal)
    return found


def fit_region(evidence: Evidence, mask: np.ndarray, rng: np.random.Generator, source: str) -> Proposal | None:
    """Robust own motion of the pixels of a mask; None with fewer than 12 measured ones. mask: (H, W) bool."""
    known = np.flatnonzero((mask & ~np.isnan(evidence.chi) & (evidence.flow.disparity > 0)).ravel())
    if len(known) < 12:
        return None
    if len(known) > FIT_PIXELS:
        known = rng.choice(known, FIT_PIXELS, replace=False)
    samples = evidence.samples.pick(known[None])
    points = samples.rays[0] / samples.inverse_depth[0][:, None]
    centre = np.median(points, 0)
    options = FitOptions(centre, rotation_sigma=ROTATION_RATE * evidence.scales.step_s, steps=7)
    own, covariance = fit(evidence.camera, samples, evidence.ego.motion, options)
    return Proposal(mask, own[0], covariance[0], centre, source) if np.isfinite(own).all() else None


def _sure_parts(mask: np.ndarray, links: tuple[np.ndarray, np.ndarray], evidence: Evidence) -> list[np.ndarray]:
    """Components with enough pixels of which enough surely move. (H, W) bool each."""
    label, count = components(mask, links)
    size = np.bincount(label.ravel(), minlength=count + 1)
    sure = np.bincount(
        label.ravel(), weights=(np.nan_to_num(evidence.chi) > evidence.scales.high).ravel(), minlength=count + 1
    )
    keep = [
        k for k in range(1, count + 1) if size[k] >= evidence.scales.min_pixels / 3 and sure[k] >= MIN_SURE * size[k]
    ]
    return [label == k for k in keep]


def _open(mask: np.ndarray, size: int) -> np.ndarray:
    """(H, W) bool without what is narrower than `size` px."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8)) > 0
