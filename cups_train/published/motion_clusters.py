"""One random run of the published clustering (SF2SE3 as in CUPS), with the faults that shape its results: seeds may be
explained or invalid cells, near to all but rigid to any member, products of tails as inlier test, links that look at
one end, a motion of identity where few cells remain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import erfc

from cups_train.geometry.se3 import fit_points, transform
from cups_train.types import StereoCamera

GRID = 0.06  # cells for a pixel, along each axis
NEAR = 5.0  # m
RIGID = 0.03  # m a frame step
CLUSTERS, GROWTH = 100, 4
TAU = 0.0455  # of a product of tail probabilities
SPATIAL = 0.05  # normalised coordinates
WINDOW = 4  # cells
CYCLES, PARTS, FINAL = 6, 3, 10
GAIN, OVERLAP = 0.0015, 0.15
OUTLIER = 5.35  # standard deviations at which a float32 tail becomes zero
# log-likelihood without an assigned cell
NOWHERE = 2 * (-0.5 * (1e6 / SPATIAL) ** 2 - np.log(SPATIAL * np.sqrt(2 * np.pi)))


@dataclass(frozen=True, eq=False)
class Measured:
    """Cells or pixels with their measured motion, N of them."""

    camera: StereoCamera
    pixel: np.ndarray  # (N, 2) px
    valid: np.ndarray  # (N,) bool
    points: np.ndarray  # (N, 3) m at t
    ends: np.ndarray  # (N, 3) m at t+1
    flow: np.ndarray  # (N, 2) px
    sigma: np.ndarray  # (3,) px: flow x, flow y, disparity

    def pick(self, index: np.ndarray) -> Measured:
        """Only these cells or pixels, (M,) of them."""
        return Measured(
            self.camera,
            self.pixel[index],
            self.valid[index],
            self.points[index],
            self.ends[index],
            self.flow[index],
            self.sigma,
        )

    def residuals(self, motion: np.ndarray) -> np.ndarray:
        """(K, N, 3) absolute residuals in standard deviations under motions (K, 4, 4); infinite where invalid or behind
        the camera."""
        c = self.camera
        moved = self.points @ np.swapaxes(motion[:, :3, :3], -1, -2) + motion[:, None, :3, 3]
        z = np.where(moved[..., 2] > 0.1, moved[..., 2], np.nan)
        out = np.empty_like(moved)
        for axis, (focal, centre) in enumerate(((c.fx, c.cx), (c.fy, c.cy))):
            out[..., axis] = focal * moved[..., axis] / z + centre - self.pixel[:, axis] - self.flow[:, axis]
        out[..., 2] = c.depth_scale / z - c.depth_scale / np.where(self.valid, self.ends[:, 2], 1)
        return np.where(np.isnan(z)[..., None] | ~self.valid[:, None], np.inf, np.abs(out) / self.sigma)


@dataclass(frozen=True, eq=False)
class Grid:
    """The working grid and what all runs of a pair share."""

    shape: tuple[int, int]
    rows: np.ndarray  # (h,) image rows of the cells
    columns: np.ndarray  # (w,) image columns
    cells: Measured  # (h * w, ...)
    near: np.ndarray  # (N, N) bool
    rigid: np.ndarray  # (N, N) bool
    beside: np.ndarray  # (N, N) float32, spatial soft value of two cells, without the window

    def spatial(self, assigned: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Best spatial soft value over assigned cells (N,) bool within the window, and the squared deviations of that
        cell: both (len(rows), len(columns)); 0 and infinite without one. The product of a term of x and one of y: a
        search along rows, then columns."""
        c = self.cells.camera
        best, far = np.where(assigned.reshape(self.shape).T, 1.0, 0.0), np.zeros(self.shape[::-1])
        for centres, at, focal, axis in ((self.columns, columns, c.fx, 0), (self.rows, rows, c.fy, 1)):
            size = c.width if axis == 0 else c.height
            own = at * len(centres) // size
            value, distance = np.zeros((len(at), best.shape[1])), np.full((len(at), best.shape[1]), np.inf)
            for offset in range(-WINDOW, WINDOW + 1):
                cell = own + offset
                inside = (cell >= 0) & (cell < len(centres))
                cell = np.clip(cell, 0, len(centres) - 1)
                step = (at - centres[cell]) / focal / SPATIAL
                soft = best[cell] * (inside * normal_tail(np.abs(step)))[:, None]
                better = soft > value
                value = np.where(better, soft, value)
                distance = np.where(better, far[cell] + step[:, None] ** 2, distance)
            best, far = value.T, distance.T
        return best.T, far.T


@dataclass(frozen=True, eq=False)
class Models:
    """K motions with their support among the cells."""

    motion: np.ndarray  # (K, 4, 4) m, points from t to t+1 in the cameras' frames
    soft: np.ndarray  # (K, N)
    assigned: np.ndarray  # (K, N) bool

    def pick(self, index: np.ndarray | list[int]) -> Models:
        """Only these models, (M,) of them."""
        return Models(self.motion[index], self.soft[index], self.assigned[index])


def normal_tail(a: np.ndarray) -> np.ndarray:
    """Two-sided normal tail of `a` standard deviations; 0 from OUTLIER on, as in single precision. Takes any shape."""
    return np.where(a < OUTLIER, erfc(np.minimum(a, OUTLIER) / np.sqrt(2)), 0)


def make_grid(pixels: Measured, height: int, width: int) -> Grid:
    """Sample the pixels (row by row) on the working grid and compare all cells once."""
    shape = int(GRID * height), int(GRID * width)
    rows, columns = (((2 * np.arange(n) + 1) * size) // (2 * n) for n, size in zip(shape, (height, width), strict=True))
    cells = pixels.pick((rows[:, None] * width + columns).ravel())
    before, after = (np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (cells.points, cells.ends))
    across, down = (
        normal_tail(np.abs(np.subtract.outer(at, at)) / focal / SPATIAL)
        for at, focal in ((cells.pixel[:, 0], pixels.camera.fx), (cells.pixel[:, 1], pixels.camera.fy))
    )
    return Grid(
        shape, rows, columns, cells, before <= NEAR, np.abs(before - after) <= RIGID, (across * down).astype(np.float32)
    )


def cluster_once(grid: Grid, rng: np.random.Generator) -> Models:
    """The models of one random run; entry 0 is called the background."""
    count = len(grid.cells.valid)
    models = Models(np.zeros((0, 4, 4)), np.zeros((0, count)), np.zeros((0, count), bool))
    warned = False
    for _ in range(CYCLES):
        explained = np.asarray((models.soft > TAU).any(0))
        motions = _proposals(grid, explained, rng)
        if motions is None:
            continue
        soft = normal_tail(grid.cells.residuals(motions)).prod(-1)
        chosen = _select(grid, soft, models.soft, 1)
        if not chosen:
            if warned:
                break
            warned = True
            continue
        parts = _split(grid, soft[chosen[0]], explained)
        if not len(parts):
            continue
        found = _consensus(grid, np.repeat(motions[chosen], len(parts), 0), parts)
        kept = _select(grid, found.soft, models.soft, PARTS)
        if not kept:
            continue
        found = found.pick(kept)
        refined = np.stack([_refine(grid.cells, m, s > TAU) for m, s in zip(found.motion, found.soft, strict=True)])
        found = _consensus(grid, refined, found.assigned)
        models = Models(
            *(np.concatenate([a, b]) for a, b in zip(vars(models).values(), vars(found).values(), strict=True))
        )
    return models.pick(_select(grid, models.soft, np.zeros((0, count)), FINAL))


def _proposals(grid: Grid, explained: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Motions (K, 4, 4) of clusters of 3 to 5 cells."""
    open_cells = grid.cells.valid & ~explained
    eligible = np.flatnonzero((grid.near & grid.rigid & open_cells).sum(1) > 2)
    if not len(eligible):
        return None
    seeds = rng.choice(eligible, CLUSTERS)
    members = np.repeat(seeds[:, None], GROWTH + 1, 1)
    used = np.zeros(members.shape, bool)
    used[:, 0] = True
    near, rigid = grid.near[seeds], grid.rigid[seeds]
    taken = np.zeros(near.shape, bool)
    taken[np.arange(CLUSTERS), seeds] = True
    for step in range(1, GROWTH + 1):
        choice = near & rigid & open_cells & ~taken
        some = choice.any(1)
        pick = (rng.random(choice.shape) * choice).argmax(1)
        members[some, step], used[some, step] = pick[some], True
        near, rigid = near & (grid.near[pick] | ~some[:, None]), rigid | (grid.rigid[pick] & some[:, None])
        taken[some, pick[some]] = True
    a, b = grid.cells.points[members], grid.cells.ends[members]
    spread = np.linalg.svd((a - a.mean(1, keepdims=True)) * used[..., None], compute_uv=False)
    good = (used.sum(1) >= 3) & (spread[:, 1] > 1e-3 * spread[:, 0])
    return fit_points(a[good], b[good], used[good].astype(float)) if good.any() else None


def _select(grid: Grid, soft: np.ndarray, previous: np.ndarray, most: int) -> list[int]:
    """Greedy choice of models (K, N) by what they add to the cover; those too much like a previous one are out."""
    valid = grid.cells.valid
    s, p = np.clip(soft[:, valid], 0, 1), np.clip(previous[:, valid], 0, 1)
    if len(p):
        inter = s @ p.T
        jaccard = inter / np.maximum(s.sum(1)[:, None] + p.sum(1)[None] - inter, 1e-12)
        s = np.where((jaccard.max(1) > OVERLAP)[:, None], 0, s)
    cover = p.max(0) if len(p) else np.zeros(s.shape[1])
    chosen: list[int] = []
    while len(chosen) < min(most, len(s)):
        gain = np.clip(s - cover, 0, 1).sum(1) / max(valid.sum(), 1)
        best = int(gain.argmax())
        if gain[best] <= GAIN:
            break
        chosen.append(best)
        cover = np.maximum(cover, s[best])
    return chosen


def _split(grid: Grid, soft: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Spatial parts (K, N) bool of one model. Links look at their source alone; a part is what can be reached from its
    first cell."""
    source = (soft > TAU) & ~explained
    links = (grid.beside[source] * soft[source, None] > TAU) & ~explained
    order, waiting = np.flatnonzero(source), source.copy()
    row = np.full(len(source), -1)
    row[order] = np.arange(len(order))
    parts = []
    for first in order:
        if not waiting[first]:
            continue
        part, edge = np.zeros(len(source), bool), np.array([first])
        while len(edge):
            part[edge] = True
            edge = np.flatnonzero(links[row[edge]].any(0) & waiting & ~part)
        waiting &= ~part
        if (part & grid.cells.valid).any():
            parts.append(part & grid.cells.valid)
    return np.array(parts)


def _consensus(grid: Grid, motion: np.ndarray, assigned: np.ndarray) -> Models:
    """Soft values of motion and place together, and the support that follows from them. motion: (K, 4, 4); assigned:
    (K, N) bool."""
    near = np.stack([grid.spatial(a, grid.rows, grid.columns)[0].ravel() for a in assigned])
    soft = normal_tail(grid.cells.residuals(motion)).prod(-1) * near
    return Models(motion, soft, (soft > TAU) & grid.cells.valid)


def _refine(cells: Measured, motion: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Iterative PnP from the current motion; the identity with fewer than four cells. motion: (4, 4); support: (N,)
    bool -> (4, 4)."""
    support = support & cells.valid
    if support.sum() < 4:
        return np.eye(4)
    c = cells.camera
    turn, shift = cv2.Rodrigues(motion[:3, :3])[0], motion[:3, 3:].copy()
    matrix = np.array([[c.fx, 0, c.cx], [0, c.fy, c.cy], [0, 0, 1]])
    found, turn, shift = cv2.solvePnP(
        cells.points[support],
        (cells.pixel + cells.flow)[support].astype(np.float64),
        matrix,
        None,
        turn,
        shift,
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    return (
        transform(cv2.Rodrigues(turn)[0], shift[:, 0])
        if found and np.isfinite(turn).all() and np.isfinite(shift).all()
        else motion
    )
