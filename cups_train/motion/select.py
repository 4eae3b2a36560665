"""One choice among all proposals, whatever they come from."""
from __future__ import annotations

import numpy as np

from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import EXPLAINED, Proposal

SHARED = 0.3  # share of the smaller of two proposals that they may have in common


def select(evidence: Evidence, proposals: list[Proposal]) -> list[Proposal]:
    """Greedy: residual proposals first, for articulated bodies follow no one rigid motion; then what explains most pixels; no two that overlap."""
    gains = [_gain(evidence, p) for p in proposals]
    chosen: list[Proposal] = []
    for i in sorted(range(len(proposals)), key=lambda i: (proposals[i].source != "residual", -gains[i])):
        p = proposals[i]
        size = p.mask.sum()
        if all((p.mask & q.mask).sum() <= SHARED * min(size, q.mask.sum()) for q in chosen):
            chosen.append(p)
    return chosen


def _gain(evidence: Evidence, proposal: Proposal) -> float:
    """Pixels well explained, minus those that are not."""
    chi, static = evidence.chi_at(proposal.own, proposal.mask), evidence.chi[proposal.mask]
    well = (chi < np.minimum(EXPLAINED, 0.5 * static)).sum()
    badly = (chi > np.maximum(EXPLAINED, 0.8 * static)).sum()
    return float(well - badly)
