"""Objects that move, in one pair of frames."""
from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from cups_train.config import MotionConfig
from cups_train.geometry.ground import find_ground
from cups_train.geometry.se3 import inverse
from cups_train.motion.bodies import split
from cups_train.motion.confirm import Before, evidence_before, refutes
from cups_train.motion.ego import estimate_ego
from cups_train.motion.ensemble import rigid_proposals
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.motion.grow import grow
from cups_train.motion.merge import merge
from cups_train.motion.picture import grey_test, snap
from cups_train.motion.propose import Proposal, propose
from cups_train.motion.reject import plausible, score, why_not
from cups_train.motion.select import select
from cups_train.published.motion import reference_objects
from cups_train.types import MotionResult, MovingObject, SceneFlow, StereoFrame

Images = tuple[np.ndarray, np.ndarray]


def generator(seed: int, key: str, stream: int = 0) -> np.random.Generator:
    """Random numbers of one frame: the same in any order of the frames and on any number of workers."""
    return np.random.default_rng([seed, zlib.crc32(key.encode()), stream])


def find_moving_objects(flow: SceneFlow, now: StereoFrame, config: MotionConfig, seed: int, step_s: float,
                        images: Images | None = None, prior: np.ndarray | None = None, before: Before | None = None) -> MotionResult:  # noqa: PLR0913
    """Instances of everything that moves against the static scene.

    `images`: left images (RGB uint8) at t and t+1; they sharpen outlines and refute false motion. None where flow and disparity are exact.
    `prior`: pose (4, 4) m of the left camera at t+1 in its frame at t as odometry tells it. `before`: the flow to t-1, which may refute objects.
    """
    rng = generator(seed, now.key)
    if config.compat == "reference":
        return reference_objects(flow, now, config, rng)
    camera = now.camera
    ego = estimate_ego(flow, camera, rng, None if prior is None else inverse(prior))
    if ego is None:
        return _nothing(now, flow, None, "no rigid motion explains enough of the picture")
    ground = find_ground(camera, flow.disparity, flow.disparity_ok, rng)
    evidence = gather(flow, camera, ego, ground, scales_of(flow, camera, step_s, config.max_depth, config.min_area))
    proposals = _proposals(evidence, config, rng)
    camera_pose = inverse(ego.motion)
    if not proposals:
        return _nothing(now, flow, camera_pose, "nothing moves against the static scene")
    reasons = [_why_not(evidence, proposal, images) for proposal in proposals]
    kept = [proposal for proposal, reason in zip(proposals, reasons, strict=True) if reason is None]
    if not kept:
        return _nothing(now, flow, camera_pose, f"all {len(reasons)} candidates rejected: {', '.join(sorted({r for r in reasons if r}))}")
    kept = select(evidence, kept)
    shown = _drawn(evidence, kept, images)
    if before is None or not shown:
        return _result(now, evidence, shown)
    past = evidence_before(before, camera, (config.max_depth, config.min_area), generator(seed, now.key, 1))
    confirmed = shown if past is None else [(p, mask) for p, mask in shown if not refutes(past, p.own, mask)]
    if not confirmed:
        return _nothing(now, flow, camera_pose, f"the frame before refutes all {len(shown)} candidates")
    return _result(now, evidence, confirmed)


def _why_not(evidence: Evidence, proposal: Proposal, images: Images | None) -> str | None:
    """What speaks against a proposal, or None."""
    reason = why_not(evidence, proposal, proposal.mask)
    if reason is None and images is not None and not grey_test(evidence, proposal, proposal.mask, images):
        return "the grey values do not move"
    return reason


def _proposals(evidence: Evidence, config: MotionConfig, rng: np.random.Generator) -> list[Proposal]:
    """Whole objects from residual motion and from rigid clustering; they may overlap."""
    residual = _grown(evidence, merge(evidence, propose(evidence, rng), rng), rng) if config.residual else []
    rigid = rigid_proposals(evidence, config.runs, config.vote, rng) if config.rigid else []
    return residual + _grown(evidence, rigid, rng)


def _grown(evidence: Evidence, cores: list[Proposal], rng: np.random.Generator) -> list[Proposal]:
    """Whole objects from moving cores; cores of one object often touch only when they have grown."""
    cores = [core for core in cores if plausible(evidence, core)]
    grown = [replace(core, mask=mask) for core, mask in zip(cores, grow(evidence, cores), strict=True)]
    return split(evidence, merge(evidence, grown, rng), rng)


def _drawn(evidence: Evidence, kept: list[Proposal], images: Images | None) -> list[tuple[Proposal, np.ndarray]]:
    """Proposals with the masks (H, W) bool that are visible of them, the nearest drawn over the others; those that are too small are left out."""
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


def _result(now: StereoFrame, evidence: Evidence, shown: list[tuple[Proposal, np.ndarray]]) -> MotionResult:
    """The objects, numbered from the furthest."""
    instances = np.zeros(evidence.chi.shape, np.uint16)
    objects = []
    for number, (proposal, mask) in enumerate(shown, 1):
        instances[mask] = number
        x, y, z = (float(c) for c in proposal.centre)
        certainty = score(evidence, proposal, proposal.mask)
        objects.append(MovingObject(number, None, certainty, int(mask.sum()), proposal.own, (x, y, z), proposal.source))
    reason = None if objects else "all candidates lie hidden behind others"
    return MotionResult(now.key, now.stamp_ns, instances, inverse(evidence.ego.motion), tuple(objects), reason)


def _nothing(now: StereoFrame, flow: SceneFlow, ego: np.ndarray | None, reason: str) -> MotionResult:
    return MotionResult(now.key, now.stamp_ns, np.zeros(flow.disparity.shape, np.uint16), ego, (), reason)
