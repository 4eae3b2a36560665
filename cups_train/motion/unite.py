"""Parts of one object: they touch, without a step of depth, and move alike."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.boxes import window_of
from cups_train.geometry.se3 import apply
from cups_train.motion.evidence import Evidence
from cups_train.motion.propose import EXPLAINED, Proposal, fit_region

REACH = 3  # px at unit scale, largest gap
STEP = 0.05  # largest step of depth at the contact, share
ALIKE = 0.35  # largest difference of the displacements, share of the larger
LIMB_SPEED = 1.3  # m/s, by which limbs may differ from the body ...
WALK_SPEED = 4.0  # m/s, ... of what moves no faster than that
BRIDGE = 1.2  # m, largest width of something nearer that hides the middle of an object
BRIDGE_STEP = 0.1  # largest difference of depth of its two sides, share
JOINT = 0.25  # one motion for both parts must bring the median chi-square of each below this share of the static one


def unite(evidence: Evidence, proposals: list[Proposal], rng: np.random.Generator) -> list[Proposal]:
    """Unite parts pair by pair, longest contact first, until no two fit together."""
    proposals = sorted(proposals, key=lambda p: -int(p.mask.sum()))
    boxes = {id(p): window_of(p.mask, _margin(evidence, p)) for p in proposals}
    contacts: dict[tuple[int, int], int] = {}  # by identity; every proposal that ever was stays referenced in `held`
    held = list(proposals)
    while True:
        for i, a in enumerate(proposals):
            for b in proposals[i + 1 :]:
                if (id(a), id(b)) not in contacts:
                    near = _overlap(boxes[id(a)], boxes[id(b)])
                    contacts[id(a), id(b)] = _contact(evidence, a, b) or _bridge(evidence, a, b) if near else 0
        ranked = (
            (contacts[id(a), id(b)], -i, -j)
            for i, a in enumerate(proposals)
            for j, b in enumerate(proposals[i + 1 :], i + 1)
        )
        pair = max(ranked, default=(0, 0, 0))
        if pair[0] == 0:
            return proposals
        a, b = proposals[-pair[1]], proposals[-pair[2]]
        united = _united(evidence, a, b, rng)
        if united is None:
            contacts[id(a), id(b)] = 0
            continue
        boxes[id(united)] = window_of(united.mask, _margin(evidence, united))
        held.append(united)
        proposals = [p for p in proposals if p is not a and p is not b] + [united]


def _united(evidence: Evidence, a: Proposal, b: Proposal, rng: np.random.Generator) -> Proposal | None:
    """Both parts as one proposal, or None where they do not move alike."""
    united = fit_region(evidence, a.mask | b.mask, rng, a.source)
    if united is None or not (
        _contact(evidence, a, b) > 0 and alike(evidence, a, b) or _explains(evidence, united, (a, b))
    ):
        return None
    return united


def _contact(evidence: Evidence, a: Proposal, b: Proposal) -> int:
    """Pixels along which two parts touch; 0 where they do not, or with a step of depth."""
    reach = max(2, round(REACH * evidence.scales.unit))
    box = window_of(b.mask if b.mask.sum() < a.mask.sum() else a.mask, 2 * reach)
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


def _bridge(evidence: Evidence, a: Proposal, b: Proposal) -> int:
    """1 where something nearer and narrow lies between two parts at one depth (a post before a bicycle); exact flow
    then shows one motion."""
    if evidence.scales.rough:
        return 0
    disparity = evidence.flow.disparity
    da, db = np.median(disparity[a.mask]), np.median(disparity[b.mask])
    if abs(da - db) > BRIDGE_STEP * max(da, db):
        return 0
    reach = int(BRIDGE * max(da, db) / evidence.camera.baseline / 2) + 1  # px, half the width at that depth
    box = window_of(a.mask | b.mask, 0)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    between = (cv2.dilate(a.mask[box].astype(np.uint8), kernel) & cv2.dilate(b.mask[box].astype(np.uint8), kernel)) > 0
    between &= ~(a.mask | b.mask)[box]
    return int(between.sum() > 20 and (disparity[box][between] > 1.05 * max(da, db)).mean() > 0.5)


def _explains(evidence: Evidence, united: Proposal, parts: tuple[Proposal, Proposal]) -> bool:
    """Does one motion do for both? Estimated flow errs more than its noise says: there it is held against the static
    motion."""
    limits = [JOINT * np.nanmedian(evidence.chi[p.mask]) if evidence.scales.rough else EXPLAINED / 2 for p in parts]
    return all(
        np.nanmedian(evidence.chi_at(united.own, p.mask)) < limit for p, limit in zip(parts, limits, strict=True)
    )


def alike(evidence: Evidence, a: Proposal, b: Proposal) -> bool:
    """The displacement of each centre under both motions differs little (walkers: no more than limbs do), or one motion
    explains the other part."""
    scales = evidence.scales
    for p, q in ((a, b), (b, a)):
        mine, other = p.shift, apply(q.own, p.centre) - p.centre
        fastest = max(np.linalg.norm(mine), np.linalg.norm(other))
        slack = LIMB_SPEED * scales.step_s if fastest < WALK_SPEED * scales.step_s else scales.min_shift
        if np.linalg.norm(mine - other) < max(ALIKE * fastest, slack):
            return True
        if np.nanmedian(evidence.chi_at(q.own, p.mask)) < EXPLAINED / 2:
            return True
    return False


def _margin(evidence: Evidence, proposal: Proposal) -> int:
    """Half the largest gap between parts [px]."""
    return 2 * REACH if evidence.scales.rough else int(BRIDGE * evidence.camera.fx / proposal.centre[2] / 2) + 2 * REACH


def _overlap(a: tuple[slice, slice], b: tuple[slice, slice]) -> bool:
    return all(p.start < q.stop and q.start < p.stop for p, q in zip(a, b, strict=True))
