"""Which grown proposals are objects that move."""

from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry.se3 import rotation_angle
from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import Proposal

MAX_FOOT = 0.8  # m over the ground that the lowest part may lie
MAX_HEIGHT = 4.6  # m over the ground
MAX_SPEED = 60.0  # m/s
SIGMAS = 3.0  # a displacement must be this many standard deviations


def surface(evidence: Evidence, mask: np.ndarray) -> float:
    """Visible surface [m2], as if it faced the camera: sum of depth^2 / (fx fy). mask: (H, W) bool."""
    disparity = evidence.flow.disparity[mask & (evidence.flow.disparity > 0)]
    if not len(disparity):
        return 0.0
    share = mask.sum() / len(disparity)
    depth = np.minimum(
        evidence.camera.depth_scale / disparity, 1.5 * evidence.camera.depth_scale / np.median(disparity)
    )
    return float((depth**2).sum() * share / (evidence.camera.fx * evidence.camera.fy))


def plausible(evidence: Evidence, core: Proposal) -> bool:
    """Could a core be a part of an object at all? Cheap tests that spare its growth."""
    if np.linalg.norm(core.shift) > MAX_SPEED * evidence.scales.step_s:
        return False
    height = evidence.height[core.mask & evidence.flow.disparity_ok]
    height = height[~np.isnan(height)]
    return not len(height) or bool(np.median(height) < MAX_HEIGHT)


def why_not(evidence: Evidence, proposal: Proposal, mask: np.ndarray) -> str | None:
    """The rule that rejects a proposal, or None where it is an object. mask: (H, W) bool, what counts of it."""
    scales = evidence.scales
    if mask.sum() < scales.min_pixels:
        return "too few pixels"
    if cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3).max() < 3 * np.sqrt(scales.unit):
        return "too thin"
    if surface(evidence, mask) < scales.min_area:
        return "too small a surface"
    if (
        evidence.camera.depth_scale / max(float(np.median(evidence.flow.disparity[proposal.mask])), 1e-6)
        > scales.max_depth
    ):
        return "too far"
    if not (_goes(evidence, proposal) or _turns(evidence, proposal)):
        return "hardly moves"
    return _off_the_ground(evidence, mask) or _not_better(evidence, proposal, mask)


def _goes(evidence: Evidence, proposal: Proposal) -> bool:
    """Does its centre move?"""
    return bool(
        np.linalg.norm(proposal.shift)
        >= max(evidence.scales.min_shift, SIGMAS * _deviation(proposal.covariance[3:, 3:]))
    )


def _turns(evidence: Evidence, proposal: Proposal) -> bool:
    """Does its outer part move while its centre rests? Estimates must show twice the displacement: their rotations are
    poor."""
    points = (
        evidence.samples.rays[proposal.mask.ravel()]
        / np.maximum(evidence.samples.inverse_depth[proposal.mask.ravel()], 1e-3)[:, None]
    )
    radius = float(np.quantile(np.linalg.norm(points - proposal.centre, axis=-1), 0.75))
    least = max(
        (2 if evidence.scales.rough else 1) * evidence.scales.min_shift,
        (SIGMAS + 2) * radius * _deviation(proposal.covariance[:3, :3]),
    )
    return bool(radius * rotation_angle(proposal.own[:3, :3]) >= least)


def _deviation(covariance: np.ndarray) -> float:
    """Standard deviation along the worst axis. (3, 3) -> its unit."""
    return float(np.sqrt(max(np.linalg.eigvalsh(covariance)[-1], 0)))


def score(evidence: Evidence, proposal: Proposal, mask: np.ndarray) -> float:
    """Share of the measured pixels that follow the object's motion and not the static scene's, in [0, 1]. mask: (H, W)
    bool."""
    chi, static = evidence.chi_at(proposal.own, mask), evidence.chi[mask]
    known = ~np.isnan(static)
    return float(((chi < 0.5 * static) & (static > 8))[known].mean()) if known.any() else 0.0


def _not_better(evidence: Evidence, proposal: Proposal, mask: np.ndarray) -> str | None:
    """mask: (H, W) bool."""
    return (
        "the static scene explains it"
        if score(evidence, proposal, mask) < (0.4 if evidence.scales.rough else 0.3)
        else None
    )


def _off_the_ground(evidence: Evidence, mask: np.ndarray) -> str | None:
    """Things that drive or walk stand on the ground, unless something nearer hides their feet. mask: (H, W) bool."""
    height = evidence.height[mask & evidence.flow.disparity_ok]
    height = height[~np.isnan(height)]
    if len(height) < 10:
        return None
    if np.quantile(height, 0.95) > MAX_HEIGHT:
        return "too high over the ground"
    if np.quantile(height, 0.02) > MAX_FOOT and not _foot_hidden(evidence, mask):
        return "no foot on the ground"
    return None


def _foot_hidden(evidence: Evidence, mask: np.ndarray) -> bool:
    """Is what lies right below the mask nearer than the mask (or outside the picture)? mask: (H, W) bool."""
    columns = np.flatnonzero(mask.any(0))
    bottom = mask.shape[0] - 1 - mask[::-1, columns].argmax(0)
    reach = max(4, round(6 * evidence.scales.unit))
    rows = bottom + reach
    outside = rows >= mask.shape[0]
    below = evidence.flow.disparity[np.minimum(rows, mask.shape[0] - 1), columns]
    mine = np.median(evidence.flow.disparity[mask & evidence.flow.disparity_ok])
    return bool((outside | (below > 1.1 * mine + evidence.scales.link_px)).mean() > 0.4)
