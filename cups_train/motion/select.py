"""One choice among all proposals, whatever they come from."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.boxes import window_of
from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import EXPLAINED, Proposal
from cups_train.motion.unite import alike

FLAKE = 0.15  # share of its neighbour's pixels up to which a part is a sliver
SHARED = 0.3  # share of the smaller of two proposals that they may have in common


def select(evidence: Evidence, proposals: list[Proposal]) -> list[Proposal]:
    """Greedy: residual proposals first, for articulated bodies follow no one rigid motion; then what explains most
    pixels; no two that overlap."""
    gains = [_gain(evidence, p) for p in proposals]
    chosen: list[Proposal] = []
    for i in sorted(range(len(proposals)), key=lambda i: (proposals[i].source != "residual", -gains[i])):
        p = proposals[i]
        size = p.mask.sum()
        if all((p.mask & q.mask).sum() <= SHARED * min(size, q.mask.sum()) for q in chosen):
            chosen.append(p)
    return (
        [p for p in chosen if not any(_is_flake(evidence, p, q) for q in chosen)] if evidence.scales.rough else chosen
    )


def _is_flake(evidence: Evidence, small: Proposal, large: Proposal) -> bool:
    """Is one a sliver beside another that moves alike? What the outline of a body leaves over, not a body."""
    if small.mask.sum() > FLAKE * large.mask.sum():
        return False
    reach = 2 * max(1, round(2 * evidence.scales.unit)) + 1
    box = window_of(small.mask, reach)
    near = cv2.dilate(small.mask[box].astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    return bool((near & large.mask[box]).any() and alike(evidence, small, large))


def _gain(evidence: Evidence, proposal: Proposal) -> float:
    """Pixels well explained, minus those that are not."""
    chi, static = evidence.chi_at(proposal.own, proposal.mask), evidence.chi[proposal.mask]
    well = (chi < np.minimum(EXPLAINED, 0.5 * static)).sum()
    badly = (chi > np.maximum(EXPLAINED, 0.8 * static)).sum()
    return float(well - badly)
