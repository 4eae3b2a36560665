"""Means over cells of one surface: what is known of a cell becomes that of the patch around it, up to edges of colour
and depth.

One cell of 4 x 4 px is a poor witness: half a window, half a frame. Its patch tells a facade from a tree. Patches end
where colour or depth steps, so that a pole keeps its own.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

STEPS = 3  # means of means
REACH = 2  # cells to each side
COLOUR_EDGE = (12.5, 5.0, 5.0)  # Lab: a step that cells do not mix across
DEPTH_EDGE = 0.025  # m^-0.5, of the root of inverse depth


def average(channels: np.ndarray, lab: np.ndarray, root_inverse_depth: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """(C, h, w) -> (C, h, w) float32. lab: (3, h, w); root_inverse_depth: (h, w), m^-0.5."""
    if steps == 0:
        return channels
    guide = np.concatenate(
        [lab / np.array(COLOUR_EDGE, np.float32)[:, None, None], root_inverse_depth[None] / np.float32(DEPTH_EDGE)]
    )
    mean = _mean_over_neighbours(guide)
    rows = np.ascontiguousarray(channels.reshape(len(channels), -1).T, np.float32)
    for _ in range(steps):
        rows = mean @ rows
    return np.ascontiguousarray(rows.T).reshape(channels.shape)


def _mean_over_neighbours(guide: np.ndarray) -> sparse.csr_array:
    """(h w, h w): each row weighs the cells around a cell by exp(-squared distance) of their guides (G, h, w), and adds
    up to 1."""
    _, height, width = guide.shape
    index = np.arange(height * width, dtype=np.int32).reshape(height, width)
    cells, others, weights = [], [], []
    for down, right in ((y, x) for y in range(REACH + 1) for x in range(-REACH, REACH + 1) if (y, x) > (0, 0)):
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width - max(0, -right))
        cells.append(index[here].ravel())
        others.append(index[there].ravel())
        weights.append(np.exp(-np.square(guide[:, here[0], here[1]] - guide[:, there[0], there[1]]).sum(0)).ravel())
    half = sparse.coo_array(
        (np.concatenate(weights), (np.concatenate(cells), np.concatenate(others))), shape=(index.size, index.size)
    ).tocsr()
    both = half + half.T + sparse.eye_array(index.size, dtype=np.float32, format="csr")
    return sparse.csr_array(sparse.diags_array(1 / both.sum(1)) @ both, dtype=np.float32)
