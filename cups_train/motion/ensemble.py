"""Many random runs of the rigid clustering, their votes, and the choice among overlapping masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import find_objects

from cups_ros.boxes import window_of
from cups_train.motion.cells import Box, Cells, make_cells, reach_of, spatial_penalty
from cups_train.motion.cluster import INLIER, candidates, cluster
from cups_train.motion.evidence import Evidence
from cups_train.motion.links import components, fill_holes
from cups_train.motion.propose import Proposal, fit_region
from cups_train.published.matrix_nms import matrix_nms

MATCH = 0.5  # IoU from which masks of two runs are one object
REACH = 4.0  # standard deviations of the spatial term
CONTAINED = 0.8  # share of the smaller mask inside the other from which only the better one stays


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask cut to its bounding box."""

    box: Box
    mask: np.ndarray  # (h, w) bool
    area: int

    def overlap(self, other: Patch) -> float:
        """IoU."""
        common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(self.box, other.box, strict=True)]
        if any(c.stop <= c.start for c in common):
            return 0.0
        mine, its = (
            p.mask[tuple(slice(c.start - a.start, c.stop - a.start) for c, a in zip(common, p.box, strict=True))]
            for p in (self, other)
        )
        both = int(np.count_nonzero(mine & its))
        return both / max(self.area + other.area - both, 1)


def patch(mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> Patch:
    """A mask (H, W) bool that is not empty, whose pixel (0, 0) lies at `corner` (row, column) of the picture."""
    rows, columns = window_of(mask)
    inner = mask[rows, columns]
    down, right = (slice(s.start + at, s.stop + at) for s, at in zip((rows, columns), corner, strict=True))
    return Patch((down, right), inner, int(np.count_nonzero(inner)))


def rigid_proposals(evidence: Evidence, runs: int, vote: float, rng: np.random.Generator) -> list[Proposal]:
    """Objects that at least a share `vote` of `runs` random runs agree on."""
    moving = candidates(make_cells(evidence), evidence.scales.low)
    found = [_masks(evidence, moving.cells, cluster(evidence, moving, rng)) for _ in range(runs)]
    masks, scores = vote_masks(found, vote, evidence.chi.shape)
    kept = matrix_nms(masks, scores, CONTAINED)
    return [p for i in kept if (p := fit_region(evidence, masks[i], rng, "rigid")) is not None]


def _masks(evidence: Evidence, cells: Cells, models: list[tuple[np.ndarray, np.ndarray]]) -> list[Patch]:
    """Full-resolution masks of one run: each pixel goes to the model with the least chi-square plus spatial penalty, or
    to none.

    models: own motion (4, 4) and support (N,) bool.
    """
    if not models:
        return []
    shape = evidence.chi.shape
    best = np.where(np.isnan(evidence.chi), -np.inf, evidence.chi)
    label = np.zeros(shape, np.int32)
    for k, (own, support) in enumerate(models, 1):
        assigned = np.zeros(cells.shape[0] * cells.shape[1], bool)
        assigned[cells.where[support]] = True
        box = reach_of(cells, assigned.reshape(cells.shape), shape)
        spatial = spatial_penalty(cells, assigned.reshape(cells.shape), shape, box)
        region = (spatial < REACH**2) & evidence.off_ground[box] & (best[box] > 0)
        cost = np.full(region.shape, np.inf)
        chi = evidence.chi_in(own, box, region)
        cost[region] = np.where(chi < 2 * INLIER, chi + spatial[region], np.inf)
        better = cost < best[box]
        best[box][better], label[box][better] = cost[better], k
    return _parts(evidence, label)


def _parts(evidence: Evidence, label: np.ndarray) -> list[Patch]:
    """Connected parts of every label, large enough, with their small holes filled. label: (H, W), 0 = none."""
    if not label.any():
        return []
    rows, columns = window_of(label > 0)
    label = label[rows, columns]
    right, down = (
        evidence.links[0][rows, columns.start : columns.stop - 1],
        evidence.links[1][rows.start : rows.stop - 1, columns],
    )
    parts, count = components(label > 0, (right & (label[:, :-1] == label[:, 1:]), down & (label[:-1] == label[1:])))
    size = np.bincount(parts.ravel(), minlength=count + 1)
    kernel = np.ones((3, 3), np.uint8)
    out = []
    for k, box in enumerate(find_objects(parts), 1):
        if box is not None and size[k] >= evidence.scales.min_pixels:
            core = np.pad((parts[box] == k).astype(np.uint8), 2)
            corner = rows.start + box[0].start - 2, columns.start + box[1].start - 2
            out.append(patch(fill_holes(cv2.morphologyEx(core, cv2.MORPH_CLOSE, kernel) > 0), corner))
    return out


def vote_masks(runs: list[list[Patch]], share: float, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Match masks across runs by IoU >= 0.5 and average what was found again in at least `share` of them: (M, H, W)
    bool and votes (M,) in [0, 1]."""
    groups: list[list[Patch]] = []
    for patches in runs:
        taken: set[int] = set()
        for one in patches:
            overlap = [one.overlap(group[0]) if i not in taken else 0.0 for i, group in enumerate(groups)]
            if overlap and max(overlap) >= MATCH:
                taken.add(int(np.argmax(overlap)))
                groups[int(np.argmax(overlap))].append(one)
            else:
                groups.append([one])
                taken.add(len(groups) - 1)
    kept = [g for g in groups if len(g) >= share * len(runs) - 1e-9]
    masks = np.zeros((len(kept), *shape), bool)
    for mask, group in zip(masks, kept, strict=True):
        count = np.zeros(shape, np.uint8)
        for one in group:
            count[one.box] += one.mask
        mask[:] = 2 * count >= len(group)
    return masks, np.array([len(g) / len(runs) for g in kept])
