"""Objects that move, in one pair of frames."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from cups_train.config import MotionConfig
from cups_train.geometry.ground import find_ground
from cups_train.geometry.se3 import inverse
from cups_train.motion.bodies import split
from cups_train.motion.confirm import evidence_before, refutes
from cups_train.motion.ego import estimate_ego
from cups_train.motion.ensemble import rigid_proposals
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.motion.grow import grow
from cups_train.motion.picture import grey_test, snap
from cups_train.motion.propose import Proposal, propose
from cups_train.motion.reject import plausible, score, why_not
from cups_train.motion.select import select
from cups_train.motion.time_step import TimeStep
from cups_train.motion.unite import unite
from cups_train.types import Absence, MotionResult, MovingObject, Reason, StereoFrame

Images = tuple[np.ndarray, np.ndarray]  # (H, W, 3) uint8 RGB, left, at t and t+1
Shown = tuple[Proposal, np.ndarray]  # a proposal and the mask (H, W) bool of what is visible of it


def generator(seed: int, key: str, stream: int = 0) -> np.random.Generator:
    """Random numbers of one frame: the same in any order of the frames and on any number of workers."""
    return np.random.default_rng([seed, zlib.crc32(key.encode()), stream])


def find_moving_objects(step: TimeStep, config: MotionConfig, seed: int) -> MotionResult:
    """Instances of everything that moves against the static scene."""
    now, flow = step.now, step.flow
    rng = generator(seed, now.key)
    ego = estimate_ego(flow, now.camera, rng, None if step.prior is None else inverse(step.prior))
    if ego is None:
        return _nothing(step, None, Absence(Reason.NO_CAMERA_MOTION, "no rigid motion explains enough of the picture"))
    ground = find_ground(now.camera, flow.disparity, flow.disparity_ok, rng)
    evidence = gather(
        flow, now.camera, ego, ground, scales_of(flow, now.camera, step.step_s, config.max_depth, config.min_area)
    )
    shown = _visible(evidence, step, config, rng)
    if not isinstance(shown, Absence) and step.before is not None:
        past = evidence_before(
            step.before, now.camera, (config.max_depth, config.min_area), generator(seed, now.key, 1)
        )
        shown = _confirmed(past, shown)
    return _nothing(step, inverse(ego.motion), shown) if isinstance(shown, Absence) else _result(now, evidence, shown)


def _visible(
    evidence: Evidence, step: TimeStep, config: MotionConfig, rng: np.random.Generator
) -> list[Shown] | Absence:
    """What moves, as far as it can be seen, or why nothing does."""
    images = None if step.next_left is None else (step.now.left, step.next_left)
    proposals = _proposals(evidence, config, rng)
    if not proposals:
        return Absence(Reason.NOTHING_MOVES, "nothing moves against the static scene")
    rules = [_why_not(evidence, proposal, images) for proposal in proposals]
    kept = [proposal for proposal, rule in zip(proposals, rules, strict=True) if rule is None]
    if not kept:
        return Absence(
            Reason.REJECTED, f"all {len(rules)} candidates rejected: {', '.join(sorted({r for r in rules if r}))}"
        )
    return _drawn(evidence, select(evidence, kept), images) or Absence(
        Reason.HIDDEN, "all candidates lie hidden behind others"
    )


def _confirmed(past: Evidence | None, shown: list[Shown]) -> list[Shown] | Absence:
    """What the frame before does not refute; all where it says nothing."""
    confirmed = shown if past is None else [(p, mask) for p, mask in shown if not refutes(past, p.own, mask)]
    return confirmed or Absence(Reason.REFUTED, f"the frame before refutes all {len(shown)} candidates")


def _why_not(evidence: Evidence, proposal: Proposal, images: Images | None) -> str | None:
    """What speaks against a proposal, or None."""
    rule = why_not(evidence, proposal, proposal.mask)
    if rule is None and images is not None and not grey_test(evidence, proposal, proposal.mask, images):
        return "the grey values do not move"
    return rule


def _proposals(evidence: Evidence, config: MotionConfig, rng: np.random.Generator) -> list[Proposal]:
    """Whole objects from residual motion and from rigid clustering; they may overlap."""
    residual = _grown(evidence, unite(evidence, propose(evidence, rng), rng), rng) if config.method != "rigid" else []
    rigid = rigid_proposals(evidence, config.runs, config.vote, rng) if config.method != "residual" else []
    return residual + _grown(evidence, rigid, rng)


def _grown(evidence: Evidence, cores: list[Proposal], rng: np.random.Generator) -> list[Proposal]:
    """Whole objects from moving cores; cores of one object often touch only when they have grown."""
    cores = [core for core in cores if plausible(evidence, core)]
    grown = [replace(core, mask=mask) for core, mask in zip(cores, grow(evidence, cores), strict=True)]
    return split(evidence, unite(evidence, grown, rng), rng)


def _drawn(evidence: Evidence, kept: list[Proposal], images: Images | None) -> list[Shown]:
    """Proposals with the masks (H, W) bool that are visible of them, the nearest drawn over the others; those that are
    too small are left out."""
    kept = sorted(kept, key=lambda p: float(p.centre[2]), reverse=True)
    taken = np.zeros(evidence.chi.shape, np.uint16)
    for k, proposal in enumerate(kept, 1):
        taken[proposal.mask] = k
    if images is not None:
        for k, proposal in enumerate(kept, 1):
            cut = snap(proposal.mask, images[0], (taken == 0) | (taken == k), evidence.scales.unit)
            taken[taken == k] = 0
            taken[cut & (taken == 0)] = k
    shown = [(proposal, taken == k) for k, proposal in enumerate(kept, 1)]
    return [(proposal, mask) for proposal, mask in shown if mask.sum() >= evidence.scales.min_pixels]


def _result(now: StereoFrame, evidence: Evidence, shown: list[Shown]) -> MotionResult:
    """The objects, numbered from the furthest."""
    instances = np.zeros(evidence.chi.shape, np.uint16)
    objects = []
    for number, (proposal, mask) in enumerate(shown, 1):
        instances[mask] = number
        x, y, z = (float(c) for c in proposal.centre)
        certainty = score(evidence, proposal, proposal.mask)
        objects.append(MovingObject(number, None, certainty, int(mask.sum()), proposal.own, (x, y, z), proposal.source))
    return MotionResult(now.key, now.stamp_ns, instances, inverse(evidence.ego.motion), tuple(objects), None)


def _nothing(step: TimeStep, ego: np.ndarray | None, absence: Absence) -> MotionResult:
    """ego: (4, 4) m, pose of the camera at t+1."""
    return MotionResult(
        step.now.key, step.now.stamp_ns, np.zeros(step.flow.disparity.shape, np.uint16), ego, (), absence
    )
