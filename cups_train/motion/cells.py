"""The working grid of the rigid clustering: about 2900 cells, each one pixel's scene flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.motion.evidence import Evidence
from cups_train.motion.rigid_fit import Correspondences

CELLS = 2900
REACH = 0.055  # standard deviation of the spatial term, share of the width (70.7 px at 1280)
WINDOW = 4  # cells that the spatial term reaches in each direction


@dataclass(frozen=True, eq=False)
class Cells:
    """A coarse grid over the picture and its usable cells, N of them."""

    shape: tuple[int, int]  # of the grid
    rows: np.ndarray  # (h,) image rows of the cells
    columns: np.ndarray  # (w,) image columns
    where: np.ndarray  # (N,) flat index in the grid
    samples: Correspondences  # (N, ...)
    points: np.ndarray  # (N, 3) m at t
    ends: np.ndarray  # (N, 3) m at t+1, the camera's motion taken out
    depth_sigma: np.ndarray  # (N,) m, noise of the change of a distance
    static_chi: np.ndarray  # (N,) chi-square against the static scene

    def pick(self, mask: np.ndarray) -> Cells:
        """Only the cells of a mask (N,) bool."""
        return Cells(
            self.shape,
            self.rows,
            self.columns,
            self.where[mask],
            self.samples.pick(mask),
            self.points[mask],
            self.ends[mask],
            self.depth_sigma[mask],
            self.static_chi[mask],
        )


def make_cells(evidence: Evidence) -> Cells:
    """Sample the pair on a regular grid (integer positions, no ties); ground and pixels of unknown motion are left
    out."""
    height, width = evidence.chi.shape
    scale = np.sqrt(CELLS / (height * width))
    shape = max(2, round(height * scale)), max(2, round(width * scale))
    rows = ((2 * np.arange(shape[0]) + 1) * height) // (2 * shape[0])
    columns = ((2 * np.arange(shape[1]) + 1) * width) // (2 * shape[1])
    at = np.ix_(rows, columns)
    flow, camera = evidence.flow, evidence.camera
    usable = (
        flow.disparity_next_ok
        & ~np.isnan(evidence.chi)
        & (flow.disparity > camera.depth_scale / evidence.scales.max_depth)
    )
    usable = usable & (flow.disparity_next > 0.1) & evidence.off_ground
    where = np.flatnonzero(usable[at].ravel())
    v, u = rows[where // shape[1]], columns[where % shape[1]]
    samples = evidence.samples.pick(v * width + u)
    points = samples.rays / samples.inverse_depth[:, None]
    end = samples.target
    depth = camera.depth_scale / end[:, 2]
    ends = np.stack(
        [(end[:, 0] - camera.cx) / camera.fx * depth, (end[:, 1] - camera.cy) / camera.fy * depth, depth], -1
    )
    back = np.linalg.inv(evidence.ego.motion)
    sigma = np.hypot(samples.source_sigma * points[:, 2] ** 2, samples.sigma[:, 2] * depth**2) / camera.depth_scale
    return Cells(
        shape, rows, columns, where, samples, points, ends @ back[:3, :3].T + back[:3, 3], sigma, evidence.chi[v, u]
    )


Box = tuple[slice, slice]


def reach_of(cells: Cells, assigned: np.ndarray, shape: tuple[int, int]) -> Box:
    """Rows and columns of the picture that the spatial term reaches from the assigned cells, (H, W) bool with at least
    one."""
    out = []
    for axis in (0, 1):
        used = np.flatnonzero(assigned.any(1 - axis))
        first, last = max(int(used[0]) - WINDOW, 0), min(int(used[-1]) + WINDOW + 1, cells.shape[axis])
        out.append(slice(-(-first * shape[axis] // cells.shape[axis]), -(-last * shape[axis] // cells.shape[axis])))
    return out[0], out[1]


def spatial_penalty(cells: Cells, assigned: np.ndarray, shape: tuple[int, int], box: Box | None = None) -> np.ndarray:
    """Squared distance to the nearest assigned cell, in standard deviations of the spatial term: (H, W) float32,
    infinite beyond the window.

    assigned: (h, w) bool; `box`: only these rows and columns of the picture. The published 81-fold search over a 9 x 9
    window falls into a search along the rows of cells and one along their columns, for the spatial term is a product of
    a term of x and one of y.
    """
    rows, columns = (np.arange(size)[part] for size, part in zip(shape, box or (slice(None), slice(None)), strict=True))
    sigma = REACH * shape[1]
    # (h, columns)
    by_row = _nearest(
        assigned.astype(bool).T, cells.columns, columns * cells.shape[1] // shape[1], columns / sigma, sigma
    ).T
    return _nearest(by_row, cells.rows, rows * cells.shape[0] // shape[0], rows / sigma, sigma)


def _nearest(cost: np.ndarray, centres: np.ndarray, own: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """Over the cells along axis 0 of `cost` (n, M): the least sum of cost and squared distance within the window, for
    positions `at` (P,) in sigmas that lie in the cells `own` (P,): (P, M) float32. A cost of bools is 0 where True and
    infinite elsewhere."""
    if cost.dtype == bool:
        cost = np.where(cost, 0, np.inf).astype(np.float32)
    best = np.full((len(own), cost.shape[1]), np.inf, np.float32)
    for offset in range(-WINDOW, WINDOW + 1):
        cell = own + offset
        inside = (cell >= 0) & (cell < len(centres))
        cell = np.clip(cell, 0, len(centres) - 1)
        along = np.where(inside, (at - centres[cell] / sigma) ** 2, np.inf).astype(np.float32)
        np.minimum(best, cost[cell] + along[:, None], out=best)
    return best
