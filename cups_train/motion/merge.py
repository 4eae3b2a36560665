"""Parts of one object: they touch, without a step of depth, and move alike."""
from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry.se3 import apply
from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import EXPLAINED, Proposal, fit_region

REACH = 3  # px at unit scale, largest gap
STEP = 0.05  # largest step of depth at the contact, share
ALIKE = 0.35  # largest difference of the displacements, share of the larger
JOINT = 0.25  # one motion for both parts must bring the median chi-square of each below this share of the static one


def merge(evidence: Evidence, proposals: list[Proposal], rng: np.random.Generator) -> list[Proposal]:
    """Join parts pair by pair, longest contact first, until no two fit together."""
    proposals = sorted(proposals, key=lambda p: -int(p.mask.sum()))
    refused: set[frozenset[int]] = set()
    while True:
        pair = _best_pair(evidence, proposals, refused)
        if pair is None:
            return proposals
        a, b = proposals[pair[0]], proposals[pair[1]]
        joined = fit_region(evidence, a.mask | b.mask, rng, a.source)
        if joined is None or not (_alike(evidence, a, b) or _explains(evidence, joined, (a, b))):
            refused.add(frozenset((id(a), id(b))))
            continue
        proposals = [p for i, p in enumerate(proposals) if i not in pair] + [joined]


def _best_pair(evidence: Evidence, proposals: list[Proposal], refused: set[frozenset[int]]) -> tuple[int, int] | None:
    best, chosen = 0, None
    boxes = [_box(p.mask, REACH * 2) for p in proposals]
    for i, a in enumerate(proposals):
        for j in range(i + 1, len(proposals)):
            b = proposals[j]
            if frozenset((id(a), id(b))) in refused or not _overlap(boxes[i], boxes[j]):
                continue
            contact = _contact(evidence, a, b, boxes[j] if b.mask.sum() < a.mask.sum() else boxes[i])
            if contact > best:
                best, chosen = contact, (i, j)
            elif contact == 0:
                refused.add(frozenset((id(a), id(b))))
    return chosen


def _contact(evidence: Evidence, a: Proposal, b: Proposal, box: tuple[slice, slice]) -> int:
    """Pixels along which two parts touch; 0 where they do not belong together."""
    reach = max(2, round(REACH * evidence.scales.unit))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    ma, mb = a.mask[box], b.mask[box]
    near_a = mb & (cv2.dilate(ma.astype(np.uint8), kernel) > 0)
    near_b = ma & (cv2.dilate(mb.astype(np.uint8), kernel) > 0)
    length = int(min(near_a.sum(), near_b.sum()) / reach)
    smaller = min(a.mask.sum(), b.mask.sum())
    if length < max(4 * evidence.scales.unit, 0.25 * np.sqrt(smaller)):
        return 0
    disparity = evidence.flow.disparity[box]
    da, db = np.median(disparity[near_b]), np.median(disparity[near_a])
    if abs(da - db) > max(2 * evidence.scales.link_px, STEP * max(da, db)):
        return 0
    return length


def _explains(evidence: Evidence, joined: Proposal, parts: tuple[Proposal, Proposal]) -> bool:
    """Does one motion do for both? Estimated flow errs more than its noise says: there it is held against the static motion."""
    limits = [JOINT * np.nanmedian(evidence.chi[p.mask]) if evidence.scales.rough else EXPLAINED / 2 for p in parts]
    return all(np.nanmedian(evidence.chi_at(joined.own, p.mask)) < limit for p, limit in zip(parts, limits, strict=True))


def _alike(evidence: Evidence, a: Proposal, b: Proposal) -> bool:
    """The displacement of each centre under both motions differs little, or one motion explains the other part."""
    for p, q in ((a, b), (b, a)):
        mine, other = p.shift, apply(q.own, p.centre) - p.centre
        if np.linalg.norm(mine - other) < max(ALIKE * max(np.linalg.norm(mine), np.linalg.norm(other)), evidence.scales.min_shift):
            return True
        if np.nanmedian(evidence.chi_at(q.own, p.mask)) < EXPLAINED / 2:
            return True
    return False


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin), slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin)


def _overlap(a: tuple[slice, slice], b: tuple[slice, slice]) -> bool:
    return all(p.start < q.stop and q.start < p.stop for p, q in zip(a, b, strict=True))
