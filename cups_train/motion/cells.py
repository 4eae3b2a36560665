"""The working grid of the rigid clustering: about 2900 cells, each one pixel's scene flow."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.motion.evidence import Evidence
from cups_train.motion.rigid_fit import Samples

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
    samples: Samples  # (N, ...)
    points: np.ndarray  # (N, 3) m at t
    ends: np.ndarray  # (N, 3) m at t+1, the camera's motion taken out
    depth_sigma: np.ndarray  # (N,) m, noise of the change of a distance
    static_chi: np.ndarray  # (N,) chi-square against the static scene

    def pick(self, mask: np.ndarray) -> Cells:
        """Only the cells of a mask (N,) bool."""
        return Cells(self.shape, self.rows, self.columns, self.where[mask], self.samples.pick(mask), self.points[mask], self.ends[mask],
                     self.depth_sigma[mask], self.static_chi[mask])


def make_cells(evidence: Evidence) -> Cells:
    """Sample the pair on a regular grid (integer positions, no ties); ground and pixels of unknown motion are left out."""
    height, width = evidence.chi.shape
    scale = np.sqrt(CELLS / (height * width))
    shape = max(2, round(height * scale)), max(2, round(width * scale))
    rows = ((2 * np.arange(shape[0]) + 1) * height) // (2 * shape[0])
    columns = ((2 * np.arange(shape[1]) + 1) * width) // (2 * shape[1])
    at = np.ix_(rows, columns)
    flow, camera = evidence.flow, evidence.camera
    usable = flow.disparity_next_ok & ~np.isnan(evidence.chi) & (flow.disparity > camera.depth_scale / evidence.scales.max_depth)
    usable = usable & (flow.disparity_next > 0.1) & evidence.off_ground
    where = np.flatnonzero(usable[at].ravel())
    v, u = rows[where // shape[1]], columns[where % shape[1]]
    samples = evidence.samples.pick(v * width + u)
    points = samples.rays / samples.inverse_depth[:, None]
    end = samples.target
    depth = camera.depth_scale / end[:, 2]
    ends = np.stack([(end[:, 0] - camera.cx) / camera.fx * depth, (end[:, 1] - camera.cy) / camera.fy * depth, depth], -1)
    back = np.linalg.inv(evidence.ego.motion)
    sigma = np.hypot(samples.source_sigma * points[:, 2] ** 2, samples.sigma[:, 2] * depth**2) / camera.depth_scale
    return Cells(shape, rows, columns, where, samples, points, ends @ back[:3, :3].T + back[:3, 3], sigma, evidence.chi[v, u])


def spatial_penalty(cells: Cells, assigned: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Squared distance to the nearest assigned cell, in standard deviations of the spatial term: (H, W) float32, infinite beyond the window.

    assigned: (h, w) bool. The published 81-fold search over a 9 x 9 window falls into a search along the rows of cells and one along their columns,
    for the spatial term is a product of a term of x and one of y (motion.md, section 10).
    """
    height, width = shape
    sigma = REACH * width
    by_row = _nearest(assigned.astype(bool), cells.columns, width, sigma)  # (h, W)
    best = np.full((height, width), np.inf, np.float32)
    own = np.arange(height) * cells.shape[0] // height
    for offset in range(-WINDOW, WINDOW + 1):
        row = own + offset
        inside = (row >= 0) & (row < cells.shape[0])
        row = np.clip(row, 0, cells.shape[0] - 1)
        along = ((np.arange(height) - cells.rows[row]) / sigma) ** 2
        best = np.minimum(best, np.where(inside[:, None], by_row[row] + along[:, None], np.inf))
    return best.astype(np.float32)


def _nearest(assigned: np.ndarray, centres: np.ndarray, size: int, sigma: float) -> np.ndarray:
    """For every row of cells and every image column the squared distance to the nearest assigned cell of that row within the window."""
    count = len(centres)
    own = np.arange(size) * count // size
    best = np.full((assigned.shape[0], size), np.inf)
    for offset in range(-WINDOW, WINDOW + 1):
        cell = own + offset
        inside = (cell >= 0) & (cell < count)
        cell = np.clip(cell, 0, count - 1)
        distance = ((np.arange(size) - centres[cell]) / sigma) ** 2
        best = np.minimum(best, np.where(inside & assigned[:, cell], distance, np.inf))
    return best
