"""From moving cores to whole objects: along continuous depth, over pixels that the object's motion explains best or
that have no valid flow."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.boxes import window_of
from cups_train.motion.evidence import Evidence
from cups_train.motion.links import components, fill_holes
from cups_train.motion.propose import EXPLAINED, Proposal

BETTER = 0.7  # an object's chi-square must be below this share of the static one
MARGIN = 0.6  # how far an object may grow, share of its core's size


def grow(evidence: Evidence, proposals: list[Proposal]) -> list[np.ndarray]:
    """Masks (H, W) bool, one a proposal, without overlap."""
    links = evidence.links
    cost = np.full(evidence.chi.shape, np.inf)
    owner = np.zeros(evidence.chi.shape, np.int32)
    cores = np.zeros(evidence.chi.shape, np.int32)
    for k, proposal in enumerate(proposals, 1):
        cores[proposal.mask] = k
    for k, proposal in enumerate(proposals, 1):
        box = _around(proposal.mask)
        chi, reached = _reach(evidence, proposal, box, links, (cores[box] != 0) & (cores[box] != k))
        price = np.where(proposal.mask[box], -1.0, np.where(np.isnan(chi), 1e6, chi))
        better = reached & (price < cost[box])
        cost[box][better], owner[box][better] = price[better], k
    return [_tidy(owner == k, owner, evidence.scales.unit) for k in range(1, len(proposals) + 1)]


def _reach(
    evidence: Evidence,
    proposal: Proposal,
    box: tuple[slice, slice],
    links: tuple[np.ndarray, np.ndarray],
    others: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Chi-square under the object's motion and the pixels joined to its core, both in the box.

    others: (h, w) bool, cores that it must not enter -> (h, w) float64 and (h, w) bool.
    """
    chi, static, core = evidence.chi_of(proposal.own, box), evidence.chi[box], proposal.mask[box]
    flow_ok = evidence.flow.flow_ok[box] & evidence.flow.disparity_ok[box]
    explained = flow_ok & (chi < BETTER * static) & (chi < 2 * EXPLAINED)
    blind = ~flow_ok & evidence.flow.disparity_ok[box] & evidence.off_ground[box] & _same_depth(evidence, proposal, box)
    allowed = (core | explained & (evidence.off_ground[box] | (static > evidence.scales.low)) | blind) & ~others
    inside = (links[0][box[0], box[1]][:, : core.shape[1] - 1], links[1][box[0], box[1]][: core.shape[0] - 1])
    label, _ = components(allowed, inside)
    return chi, core | (np.isin(label, np.unique(label[core])) & (label > 0))


def _same_depth(evidence: Evidence, proposal: Proposal, box: tuple[slice, slice]) -> np.ndarray:
    """Disparities within the core's range and a little beyond. -> (h, w) bool of the box."""
    inside = evidence.flow.disparity[proposal.mask & evidence.flow.disparity_ok]
    low, high = np.quantile(inside, [0.02, 0.98])
    disparity = evidence.flow.disparity[box]
    return (disparity > 0.93 * low - evidence.scales.link_px) & (disparity < 1.07 * high + evidence.scales.link_px)


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The box that an object may grow in, from its core (H, W) bool."""
    rows, columns = window_of(mask)
    return window_of(mask, 8 + int(MARGIN * (max(rows.stop - rows.start, columns.stop - columns.start) - 1)))


def _tidy(mask: np.ndarray, owner: np.ndarray, unit: float) -> np.ndarray:
    """Close small gaps, fill enclosed holes below a fifth of the object, give nothing that belongs to another.

    mask: (H, W) bool; owner: (H, W) number of the object, 0 = none.
    """
    size = 2 * max(1, round(unit)) + 1
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)) > 0
    filled = fill_holes(closed)
    return (filled & (owner == 0)) | mask
