"""Many random runs of the rigid clustering, their votes, and the choice among overlapping masks."""
from __future__ import annotations

import cv2
import numpy as np

from cups_train.motion.cells import Cells, make_cells, spatial_penalty
from cups_train.motion.cluster import INLIER, cluster
from cups_train.motion.evidence import Evidence
from cups_train.motion.links import components, depth_links, fill_holes
from cups_train.motion.propose import Proposal, fit_region

MATCH = 0.5  # IoU from which masks of two runs are one object
REACH = 4.0  # standard deviations of the spatial term
NMS_SIGMA, NMS_CUT = 2.0, 0.6  # matrix NMS
CONTAINED = 0.8  # share of the smaller mask inside the other from which only the better one stays


def rigid_proposals(evidence: Evidence, runs: int, vote: float, rng: np.random.Generator) -> list[Proposal]:
    """Objects that at least a share `vote` of `runs` random runs agree on."""
    cells = make_cells(evidence)
    if len(cells.where) < 10:
        return []
    found = [_masks(evidence, cells, cluster(evidence, cells, rng)) for _ in range(runs)]
    masks, scores = vote_masks(found, vote)
    kept = matrix_nms(masks, scores)
    return [p for i in kept if (p := fit_region(evidence, masks[i], rng, "rigid")) is not None]


def _masks(evidence: Evidence, cells: Cells, models: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Full-resolution masks of one run: each pixel goes to the model with the least chi-square plus spatial penalty, or to none."""
    if not models:
        return []
    shape = evidence.chi.shape
    best = np.where(np.isnan(evidence.chi), np.inf, evidence.chi)
    label = np.zeros(shape, np.int32)
    for k, (own, support) in enumerate(models, 1):
        assigned = np.zeros(cells.shape[0] * cells.shape[1], bool)
        assigned[cells.where[support]] = True
        spatial = spatial_penalty(cells, assigned.reshape(cells.shape), shape)
        region = (spatial < REACH**2) & evidence.off_ground & ~np.isnan(evidence.chi)
        chi = np.full(shape, np.inf)
        chi[region] = evidence.chi_at(own, region)
        cost = np.where(chi < 2 * INLIER, chi + np.nan_to_num(spatial, posinf=0), np.inf)
        better = cost < best
        best[better], label[better] = cost[better], k
    return _parts(evidence, label)


def _parts(evidence: Evidence, label: np.ndarray) -> list[np.ndarray]:
    """Connected parts of every label, large enough, with their small holes filled."""
    right, down = depth_links(evidence.flow.disparity, evidence.scales)
    links = right & (label[:, :-1] == label[:, 1:]), down & (label[:-1] == label[1:])
    parts, count = components(label > 0, links)
    size = np.bincount(parts.ravel(), minlength=count + 1)
    kernel = np.ones((3, 3), np.uint8)
    out = []
    for k in np.flatnonzero(size >= evidence.scales.min_pixels):
        if k:
            out.append(fill_holes(cv2.morphologyEx((parts == k).astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0))
    return out


def vote_masks(runs: list[list[np.ndarray]], share: float) -> tuple[np.ndarray, np.ndarray]:
    """Match masks across runs by IoU >= 0.5 and average what was found again in at least `share` of them: (M, H, W) bool and votes (M,) in [0, 1]."""
    groups: list[list[np.ndarray]] = []
    for masks in runs:
        taken: set[int] = set()
        for mask in masks:
            overlap = [_iou(mask, group[0]) if i not in taken else 0.0 for i, group in enumerate(groups)]
            if overlap and max(overlap) >= MATCH:
                taken.add(int(np.argmax(overlap)))
                groups[int(np.argmax(overlap))].append(mask)
            else:
                groups.append([mask])
                taken.add(len(groups) - 1)
    kept = [g for g in groups if len(g) >= share * len(runs) - 1e-9]
    if not kept:
        return np.zeros((0, 0, 0), bool), np.zeros(0)
    return np.stack([np.mean(g, 0) >= 0.5 for g in kept]), np.array([len(g) / len(runs) for g in kept])


def matrix_nms(masks: np.ndarray, scores: np.ndarray) -> list[int]:
    """Indices of the masks that survive gaussian matrix NMS and the containment rule, best first. masks: (M, H, W) bool."""
    if not len(masks):
        return []
    area = masks.reshape(len(masks), -1).sum(1)
    order = np.lexsort((-area, -scores))
    flat = masks.reshape(len(masks), -1)[order].astype(np.float32)
    inter = flat @ flat.T
    size = inter.diagonal()
    iou = np.triu(inter / np.maximum(size[:, None] + size[None] - inter, 1), 1)
    compensate = iou.max(0)
    decay = np.exp(-NMS_SIGMA * (iou**2 - compensate[:, None] ** 2))
    decay = np.where(np.triu(np.ones_like(iou), 1) > 0, decay, 1).min(0)
    kept: list[int] = []
    for j in np.flatnonzero(scores[order] * decay >= NMS_CUT):
        if all(inter[i, j] <= CONTAINED * min(size[i], size[j]) for i in kept):
            kept.append(int(j))
    return [int(order[j]) for j in kept]


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
