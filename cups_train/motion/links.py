"""Pixels joined to their neighbours where depth (and motion) goes on: surfaces without an edge map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cups_ros.boxes import window_of

if TYPE_CHECKING:
    from cups_train.motion.evidence import Scales


def depth_links(disparity: np.ndarray, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Does the surface go on to the right, (H, W-1) bool, and downwards, (H-1, W) bool?"""
    return tuple(_close(a, b, scales) for a, b in _neighbours(disparity))  # type: ignore[return-value]


def motion_links(residual: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for residual flow (H, W, 2) with its noise (H, W): steps up to 0.15 px + 15 % + one sigma."""
    found = []
    for (a, b), (s, t) in zip(_neighbours(residual), _neighbours(sigma), strict=True):
        size = np.maximum(np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1))
        found.append(np.linalg.norm(a - b, axis=-1) < 0.15 + 0.15 * size + np.minimum(np.maximum(s, t), 1))
    return found[0], found[1]


def components(mask: np.ndarray, links: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, int]:
    """Connected parts of `mask` (H, W) over the links to the right and downwards: labels (H, W) int32 from 1 on, 0
    outside; and their number."""
    index = np.full(mask.shape, -1, np.int64)
    count = int(mask.sum())
    index[mask] = np.arange(count)
    right = links[0] & mask[:, :-1] & mask[:, 1:]
    down = links[1] & mask[:-1] & mask[1:]
    a = np.concatenate([index[:, :-1][right], index[:-1][down]])
    b = np.concatenate([index[:, 1:][right], index[1:][down]])
    parts, names = (
        connected_components(coo_matrix((np.ones(len(a), bool), (a, b)), (count, count)), directed=False)
        if count
        else (0, np.empty(0))
    )
    out = np.zeros(mask.shape, np.int32)
    out[mask] = names + 1
    return out, int(parts)


def fill_holes(mask: np.ndarray, limit: float = 0.2) -> np.ndarray:
    """The mask (H, W) with its enclosed holes filled, unless they are more than `limit` of it."""
    if not mask.any():
        return mask
    box = window_of(mask)
    inner = mask[box]
    outside, _ = label(np.pad(~inner, 1, constant_values=True))
    holes = (outside > 0) & (outside != outside[0, 0])
    holes = holes[1:-1, 1:-1]
    if not holes.any() or holes.sum() > limit * inner.sum():
        return mask
    out = mask.copy()
    out[box] |= holes
    return out


def _neighbours(image: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(H, W, ...) -> pixels with their right neighbours, (H, W-1, ...) each, and with those below, (H-1, W, ...)
    each."""
    return (image[:, :-1], image[:, 1:]), (image[:-1], image[1:])


def _close(a: np.ndarray, b: np.ndarray, scales: Scales) -> np.ndarray:
    """Disparities (...) of neighbours -> (...) bool."""
    return np.abs(a - b) < np.maximum(scales.link_px, scales.link_share * np.maximum(a, b))
