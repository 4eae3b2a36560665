"""Many clusters become few classes: the two that lose least by it are joined, again and again (Ward 1963), sizes
weighing less than Ward's.

k-means gives clusters of about equal size; a street does not: half of it is road and house. Joined clusters may be
large and need not be round.
"""

from __future__ import annotations

import numpy as np

FEW, FINE = 40, 120  # at most so many classes are joined, from so many clusters; more classes are as good as they come
SIZE_POWER = 0.8  # of n m / (n + m), the weight of the squared distance between clusters of n and m cells; 1 is Ward's


def clusters_for(count: int) -> int:
    """How many clusters `count` classes are joined from."""
    return FINE if count <= FEW else count


def join(centres: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """(M, C) centres of clusters with sizes (M,) -> (M,) int64 class 0..count-1 of each, the class of most cells first.

    Clusters without cells join the class of the nearest one that has some, unless too few would be left.
    """
    means, weight, root = centres.astype(np.float64), sizes.astype(np.float64), np.arange(len(centres))
    alive = weight > 0
    alive[np.flatnonzero(~alive)[: max(0, count - int(alive.sum()))]] = True
    cost = np.stack([_costs(means, weight, alive, i) for i in range(len(means))])
    for _ in range(int(alive.sum()) - count):
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        means[i] = (weight[i] * means[i] + weight[j] * means[j]) / (weight[i] + weight[j])
        weight[i] += weight[j]
        alive[j] = False
        root[root == j] = i
        cost[j] = cost[:, j] = np.inf
        cost[i] = cost[:, i] = _costs(means, weight, alive, int(i))
    roots = np.flatnonzero(alive)
    for empty in np.flatnonzero((sizes == 0) & ~alive):
        root[empty] = roots[((means[roots] - means[empty]) ** 2).sum(1).argmin()]
    order = roots[np.argsort(-weight[roots], kind="stable")]
    rank = np.zeros(len(centres), np.int64)
    rank[order] = np.arange(len(order))
    return rank[root]


def _costs(means: np.ndarray, weight: np.ndarray, alive: np.ndarray, i: int) -> np.ndarray:
    """(M,) what joining cluster i with each of the others costs; infinite for itself and those that are gone."""
    if not alive[i]:
        return np.full(len(means), np.inf)
    size = weight * weight[i] / np.maximum(weight + weight[i], 1)
    costs = np.asarray(size**SIZE_POWER * ((means - means[i]) ** 2).sum(1))
    costs[~alive] = np.inf
    costs[i] = np.inf
    return costs
