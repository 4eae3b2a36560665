"""Fully connected CRF by mean field (Krähenbühl and Koltun 2011): a smoothness and an appearance kernel over all pairs
of cells.

The published settings at 640 rows: smoothness weight 3, appearance weight 4, 67 px and 3 grey levels; Potts; kernels
normalised from both sides; a cell is among its own neighbours. The appearance kernel is a sparse matrix over a fixed
draw of pairs from its spatial Gaussian: one product with the marginals is one message, whatever the colours.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

SMOOTHNESS_WEIGHT, SMOOTHNESS_SIGMA = 3.0, 1.0  # cells
# weight; share of the height; grey levels of 255
APPEARANCE_WEIGHT, APPEARANCE_SIGMA, APPEARANCE_LEVELS = 4.0, 67 / 640, 3.0
DRAWN = 64  # pairs of a cell, each with its mirror image
FAINT = 0.02  # weights below are left out
ITERATIONS = 5
RARE = 0.02  # a class that is nowhere as probable as this takes no part
FLOOR = 1e-5  # of the probabilities in the unary term


class Offset(NamedTuple):
    """From a cell to another; it stands for its mirror image too."""

    down: int  # rows
    right: int  # columns
    weight: float


Offsets = tuple[Offset, ...]


def refine_cells(probability: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Marginals of the CRF. probability: (K, h, w) float32; colour: (h, w, 3) float32 mean RGB of each cell, 0 to 255
    -> (K, h, w) float32."""
    most = probability.reshape(len(probability), -1).max(axis=1)
    present = np.flatnonzero(most >= min(RARE, 1 / len(probability), most.max()))
    refined = np.zeros_like(probability)
    refined[present] = mean_field(probability[present], pairwise(colour), ITERATIONS)
    return refined


def pairwise(colour: np.ndarray, exact: bool = False) -> sparse.csr_matrix:
    """(h, w, 3) -> (h w, h w): weights of all pairs of cells, both kernels with their weights.

    exact: every pair instead of a draw (for small grids).
    """
    height, width = colour.shape[:2]
    sigma = APPEARANCE_SIGMA * height
    if exact:
        far = height + width
        smoothness, appearance, own, faint = all_offsets(SMOOTHNESS_SIGMA, far), all_offsets(sigma, far), 1.0, 0.0
    else:
        smoothness, appearance, own, faint = all_offsets(SMOOTHNESS_SIGMA, 2), *drawn_offsets(sigma, DRAWN), FAINT
    plain = np.zeros((height, width, 1), np.float32)
    return (
        SMOOTHNESS_WEIGHT * kernel(plain, smoothness, 1.0, 0.0)
        + APPEARANCE_WEIGHT * kernel(colour / np.float32(APPEARANCE_LEVELS), appearance, own, faint)
    ).tocsr()


def kernel(features: np.ndarray, offsets: Offsets, own: float, faint: float) -> sparse.csr_matrix:
    """(h w, h w): spatial weight times exp(-|difference of features|^2 / 2) for each pair, normalised from both sides
    by the root of the row sums.

    features: (h, w, C) float32; own: weight of a cell to itself; pairs whose exponential is not above `faint` are left
    out.
    """
    height, width = features.shape[:2]
    index = np.arange(height * width, dtype=np.int32).reshape(height, width)
    rows, columns, weights = [index.ravel()], [index.ravel()], [np.full(height * width, own, np.float32)]
    for offset in offsets:
        down, right = offset.down, offset.right
        if down >= height or abs(right) >= width:
            continue
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width - max(0, -right))
        difference = features[here] - features[there]
        likeness = np.exp(-0.5 * np.einsum("ijc,ijc->ij", difference, difference))
        kept = likeness > faint
        pair, weight = (index[here][kept], index[there][kept]), np.float32(offset.weight) * likeness[kept]
        rows += pair
        columns += pair[::-1]
        weights += [weight, weight]
    matrix = sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), (index.size, index.size)
    )
    root = sparse.diags_array(
        1 / np.sqrt(np.maximum(np.asarray(matrix.sum(axis=1), np.float32).ravel(), np.float32(1e-12)))
    )
    return (root @ matrix @ root).tocsr()


def mean_field(probability: np.ndarray, weights: sparse.csr_matrix, iterations: int) -> np.ndarray:
    """(K, h, w) float32 probabilities -> marginals (K, h, w): q <- softmax(log p + weights q), all cells at once
    (Potts)."""
    unary = np.log(np.maximum(probability, np.float32(FLOOR))).reshape(len(probability), -1).T
    marginals = _softmax(unary)
    for _ in range(iterations):
        marginals = _softmax(unary + weights @ marginals)
    return np.ascontiguousarray(marginals.T).reshape(probability.shape)


def _softmax(values: np.ndarray) -> np.ndarray:
    """(N, K) -> (N, K), over the last axis."""
    exponential: np.ndarray = np.exp(values - values.max(axis=1, keepdims=True))
    exponential /= exponential.sum(axis=1, keepdims=True)
    return exponential


@lru_cache(maxsize=8)
def all_offsets(sigma: float, reach: int) -> Offsets:
    """Every offset up to `reach` cells away, with its Gaussian weight."""
    return tuple(
        Offset(down, right, math.exp(-(down**2 + right**2) / (2 * sigma**2)))
        for down in range(reach + 1)
        for right in range(-reach, reach + 1)
        if (down or right > 0) and down**2 + right**2 <= reach**2
    )


@lru_cache(maxsize=8)
def drawn_offsets(sigma: float, count: int) -> tuple[Offsets, float]:
    """`count` offsets drawn from the Gaussian, always the same ones, weighted by how often each was drawn; and the
    weight of a cell to itself that fits them, so that their sums are in proportion to those over all offsets.
    """
    rng, drawn = np.random.default_rng(0), dict[tuple[int, int], float]()
    while len(drawn) < count and sum(drawn.values()) < 64 * count:  # a narrow Gaussian has fewer than `count`
        down, right = np.rint(rng.normal(0, sigma, 2)).astype(int).tolist()
        if down or right:
            offset = (down, right) if down > 0 or (down == 0 and right > 0) else (-down, -right)
            drawn[offset] = drawn.get(offset, 0.0) + 1.0
    total = 2 * sum(drawn.values())
    return tuple(Offset(down, right, weight) for (down, right), weight in drawn.items()), total / (
        2 * math.pi * sigma**2
    )
