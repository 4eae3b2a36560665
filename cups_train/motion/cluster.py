"""Rigid-motion clustering after SF2SE3 (Sommer et al.), own implementation: the static scene is known first, noise is
propagated to every test (chi-square), a new member must keep its distance to all members, links hold at both ends, and
every fit is robust."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cups_train.geometry.se3 import fit_points
from cups_train.motion.cells import Cells
from cups_train.motion.evidence import Evidence
from cups_train.motion.rigid_fit import FitOptions, chi_square, fit

SEEDS = 60
MEMBERS = 5
NEAR = 5.0  # m, to the nearest member
RIGID = 3.0  # standard deviations that a distance between members may change
INLIER = 11.3  # chi-square with 3 degrees of freedom, 1 %
CYCLES = 6
PARTS = 3  # parts of one motion that a cycle may take
MIN_CELLS = 3
FIT_CELLS = 200  # of a support that a fit uses
LINK = 2  # cells, reach of a link
DEPTH_GAP = 0.15  # largest step of depth over a link, share
ROTATION_RATE = 0.5  # rad/s


@dataclass(frozen=True, eq=False)
class Candidates:
    """The cells that the static scene does not explain, and which pairs of them could belong to one body."""

    cells: Cells
    near: np.ndarray  # (N, N) bool, close in space
    rigid: np.ndarray  # (N, N) bool, keep their distance from t to t+1

    def pick(self, mask: np.ndarray) -> Candidates:
        """Only the cells of a mask (N,) bool."""
        return Candidates(self.cells.pick(mask), self.near[np.ix_(mask, mask)], self.rigid[np.ix_(mask, mask)])


def candidates(cells: Cells, limit: float) -> Candidates:
    """Cells with a static chi-square above `limit`; their distances are compared once for all runs."""
    cells = cells.pick(cells.static_chi > limit)
    before, after = (_distances(p) for p in (cells.points, cells.ends))
    sigma = np.hypot(cells.depth_sigma[:, None], cells.depth_sigma[None])
    return Candidates(cells, before < NEAR, np.abs(before - after) < RIGID * sigma + 0.02)


def _distances(points: np.ndarray) -> np.ndarray:
    """(N, N) m between points (N, 3)."""
    out = np.zeros((len(points), len(points)))
    for axis in range(3):
        out += (points[:, None, axis] - points[None, :, axis]) ** 2
    return np.sqrt(out)


def cluster(evidence: Evidence, start: Candidates, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """One random run: (own motion (4, 4), support (N,) bool) of every object found among the candidates."""
    cells = start.cells
    free = np.ones(len(cells.where), bool)
    models: list[tuple[np.ndarray, np.ndarray]] = []
    failed = 0
    for _ in range(CYCLES):
        motions = _hypotheses(start if free.all() else start.pick(free), rng) if free.sum() >= MIN_CELLS else None
        taken = None if motions is None else _best_parts(evidence, cells, free, motions)
        if not taken:
            failed += 1
            if failed > 1:
                break
            continue
        for own, support in taken:
            models.append((own, support))
            free = free & ~support
    return models


def _hypotheses(free: Candidates, rng: np.random.Generator) -> np.ndarray | None:
    """Rigid motions (K, 4, 4) of small sets of free cells that keep their distances."""
    cells = free.cells
    seeds = rng.integers(0, len(cells.where), SEEDS)
    members = np.full((SEEDS, MEMBERS), -1)
    members[:, 0] = seeds
    near, rigid = free.near[seeds], free.rigid[seeds]
    open_ = near & rigid
    open_[np.arange(SEEDS), seeds] = False
    for m in range(1, MEMBERS):
        some = open_.any(1)
        pick = (rng.random(open_.shape) * open_).argmax(1)
        members[some, m] = pick[some]
        near = near | (free.near[pick] & some[:, None])
        rigid = rigid & (free.rigid[pick] | ~some[:, None])
        open_ = near & rigid & some[:, None]
        np.put_along_axis(open_, np.where(members < 0, seeds[:, None], members), False, 1)
    used = members >= 0
    keep = used.sum(1) >= MIN_CELLS
    if not keep.any():
        return None
    members, used = members[keep], used[keep]
    a, b = cells.points[members], cells.ends[members]
    weight = used / cells.depth_sigma[members] ** 2
    spread = np.linalg.svd((a - a[:, :1]) * used[..., None], compute_uv=False)
    good = spread[:, 1] > 1e-3 * spread[:, 0]  # three points off one line, else the rotation is free
    return fit_points(a[good], b[good], weight[good]) if good.any() else None


def _best_parts(
    evidence: Evidence, cells: Cells, free: np.ndarray, motions: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The motion that explains most free cells, split into connected parts, each refined.

    free: (N,) bool; motions: (K, 4, 4) -> (own motion (4, 4), support (N,) bool) each.
    """
    inlier = np.zeros((len(motions), len(free)), bool)
    inlier[:, free] = (
        chi_square(evidence.camera, evidence.ego.motion @ motions, cells.samples.pick(np.flatnonzero(free)[None]))
        < 2 * INLIER
    )
    k = int(inlier.sum(1).argmax())
    supports = _connected(cells, inlier[k])[:PARTS]
    if not supports:
        return []
    own = _refine(evidence, cells, supports)
    explained = (
        chi_square(evidence.camera, evidence.ego.motion @ own, cells.samples.pick(np.arange(len(free))[None])) < INLIER
    ) & free
    grown = [(e & _beside(cells, s), s) for e, s in zip(explained, supports, strict=True)]
    grown = [(again, support) for again, support in grown if again.sum() >= MIN_CELLS]
    if not grown:
        return []
    return [
        (m, again | support)
        for m, (again, support) in zip(_refine(evidence, cells, [again for again, _ in grown]), grown, strict=True)
    ]


def _refine(evidence: Evidence, cells: Cells, supports: list[np.ndarray]) -> np.ndarray:
    """Robust own motions (K, 4, 4) of K supports (N,) bool, all in one fit; shorter supports are filled up with samples
    of no weight."""
    index = [_thinned(np.flatnonzero(s)) for s in supports]
    table = np.zeros((len(index), max(map(len, index))), int)
    unused = np.ones(table.shape, bool)
    for k, row in enumerate(index):
        table[k, : len(row)], unused[k, : len(row)] = row, False
    samples = cells.samples.pick(table)
    samples = replace(samples, sigma=np.where(unused[..., None], np.inf, samples.sigma))
    centre = np.stack([np.median(cells.points[s], 0) for s in supports])
    start = np.stack([np.median(cells.ends[s] - cells.points[s], 0) for s in supports])
    options = FitOptions(centre, rotation_sigma=ROTATION_RATE * evidence.scales.step_s, start=start, steps=6)
    return fit(evidence.camera, samples, evidence.ego.motion, options)[0]


def _thinned(index: np.ndarray) -> np.ndarray:
    """At most FIT_CELLS of them, evenly spread. (N,) -> (M,)."""
    return index if len(index) <= FIT_CELLS else index[np.linspace(0, len(index) - 1, FIT_CELLS).astype(int)]


def _connected(cells: Cells, support: np.ndarray) -> list[np.ndarray]:
    """Parts of a support that hang together over cells within reach and without a step of depth; largest first. (N,)
    bool -> (N,) bool each."""
    label = np.full(cells.shape[0] * cells.shape[1], -1)
    label[cells.where[support]] = np.flatnonzero(support)
    grid = label.reshape(cells.shape)
    pairs = []
    for dy in range(LINK + 1):
        for dx in range(-LINK, LINK + 1):
            if (dy, dx) <= (0, 0):
                continue
            a = grid[: cells.shape[0] - dy, max(-dx, 0) : cells.shape[1] - max(dx, 0)]
            b = grid[dy:, max(dx, 0) : cells.shape[1] + min(dx, 0)]
            both = (a >= 0) & (b >= 0)
            pairs.append(np.stack([a[both], b[both]]))
    a, b = np.concatenate(pairs, 1)
    za, zb = cells.points[a, 2], cells.points[b, 2]
    linked = np.abs(za - zb) < DEPTH_GAP * np.minimum(za, zb)
    count = len(support)
    parts, label = connected_components(
        coo_matrix((np.ones(linked.sum(), bool), (a[linked], b[linked])), (count, count)), directed=False
    )
    size = np.bincount(label[support], minlength=parts)
    return [support & (label == k) for k in np.argsort(-size, kind="stable") if size[k] >= MIN_CELLS]


def _beside(cells: Cells, support: np.ndarray) -> np.ndarray:
    """(N,) bool: cells within reach of the support in the grid and near it in space."""
    kernel = np.ones((2 * LINK + 1, 2 * LINK + 1), np.uint8)
    nearest, furthest = np.full(cells.shape, 1e9, np.float32), np.full(cells.shape, -1e9, np.float32)
    at = cells.where[support]
    nearest.ravel()[at], furthest.ravel()[at] = cells.points[support, 2], cells.points[support, 2]
    low = cv2.erode(nearest, kernel).ravel()[cells.where]
    high = cv2.dilate(furthest, kernel).ravel()[cells.where]
    depth = cells.points[:, 2]
    return support | ((depth > (1 - DEPTH_GAP) * low) & (depth < (1 + DEPTH_GAP) * high))
