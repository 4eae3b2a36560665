"""Many clusters become few classes: the two with the strongest evidence of being one are joined, again and again.

Strength of a pair: T[a, b] / sqrt(T[a] T[b]) of the transitions between them, as in a normalised cut, plus how near
their means are in what they look like. The second term joins what no camera saw turn into one another: roads of two
streets, and everything where the camera stood. Level ground of two heights, or level ground and what stands on it,
hardly joins, whatever the flow says; ground of one height joins early.

Clusters that only a standing camera saw turn into nothing. Beside others they would be joined last and use up the
classes, so that all that moving cameras saw became one: instead each becomes a part of the class that is most like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cups_train.pseudo_label.sameness.evidence import BINS, GAPS, Evidence

COUNTED = 3  # of the gaps: few points live longer
LEAST_HEIGHTS = 500  # pixels of known height that make a cluster's height known
LEAST_SHARE = 0.03  # of a cluster's pixels: what is far away is not known by its few near pixels
MIDDLES = np.concatenate([[BINS[0] - 0.2], (BINS[1:] + BINS[:-1]) / 2, [BINS[-1] + 1.0]])  # m, of the bins of height
LEAST_PASSED = 0.1  # of a cluster's pixels: seen by a moving camera, else it is of a standing one
FEWEST, MOST = 14, 40  # classes that `auto` chooses from


@dataclass(frozen=True)
class JoinOptions:
    """What the evidence weighs."""

    likeness: float = 0.2  # strength of two clusters that look the same and were never seen to change into one another
    step: float = 0.05  # m: levels further apart are two surfaces, half a kerb
    level: float = 0.15  # m: width of the middle 70 % of heights up to which a cluster is level
    two_levels: float = 0.02  # factor of the strength of two levels
    one_level: float = 3.0  # factor of the strength of two clusters on one level, to half a step
    upright: float = 0.3  # factor of the strength of a level cluster and one that is not and lies at another height
    # share of isotropic scatter beside the one along tracks: the smaller, the less counts what changes along them
    along_tracks: float = 0.1


@dataclass(frozen=True)
class Join:
    """One step: `gone` and all that it held became a part of `kept`."""

    kept: int
    gone: int
    strength: float


@dataclass(frozen=True)
class Joining:
    """Class 0.. of each cluster, the class of most pixels first, -1 of those that were left out, and how it came to
    be."""

    table: tuple[int, ...]
    history: tuple[Join, ...]

    @property
    def classes(self) -> int:
        return max(self.table, default=-1) + 1

    def to_json(self) -> dict[str, Any]:
        return {"table": list(self.table), "history": [asdict(join) for join in self.history]}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Joining:
        """Raises KeyError, TypeError or ValueError where it does not fit."""
        return cls(
            tuple(int(i) for i in tree["table"]),
            tuple(Join(int(j["kept"]), int(j["gone"]), float(j["strength"])) for j in tree["history"]),
        )


def join_classes(
    evidence: Evidence,
    looks: np.ndarray | None,
    count: int | None,
    options: JoinOptions | None = None,
    among: np.ndarray | None = None,
) -> Joining:
    """Join clusters into `count` classes.

    evidence: of K clusters; looks: (K, C) their means in what is known of cells, scaled, or none; count: None: where
    the best remaining join falls most sharply; among: (K,) bool, the clusters that are joined; none: all.
    Clusters without pixels join the one that looks most like them.
    """
    options = options or JoinOptions()
    chosen = np.ones(evidence.clusters, bool) if among is None else np.asarray(among, bool)
    alive = chosen & (evidence.pixels > 0)
    standing = alive & (evidence.passed < LEAST_PASSED * evidence.pixels)
    if np.count_nonzero(alive & ~standing) <= (count if count is not None else FEWEST) or looks is None:
        standing[:] = False  # nothing to become a part of
    groups = _Groups.of(evidence, looks, options)
    history = _join_until(groups, alive & ~standing, max(count if count is not None else 1, 1), options)
    if count is None:
        history = history[: joins_until_the_fall([join.strength for join in history])]
    if standing.any():
        groups = _Groups.of(evidence, looks, options)
        for join in history:
            groups.absorb(join.kept, join.gone)
        alive[[join.gone for join in history]] = False
        history += _taken_in(groups, standing, alive & ~standing, options)
    return Joining(_table(history, evidence.pixels, chosen, looks), tuple(history))


def _join_until(groups: _Groups, among: np.ndarray, count: int, options: JoinOptions) -> list[Join]:
    """The joins, strongest first, after which `count` of the clusters `among`, (K,) bool, are left."""
    alive, history = among.copy(), []
    while np.count_nonzero(alive) > count:
        strength = groups.strengths(options)
        strength[~alive] = strength[:, ~alive] = -1
        np.fill_diagonal(strength, -1)
        a, b = divmod(int(strength.argmax()), len(strength))
        kept, gone = (a, b) if groups.pixels[a] >= groups.pixels[b] else (b, a)
        history.append(Join(kept, gone, round(float(strength[a, b]), 9)))
        groups.absorb(kept, gone)
        alive[gone] = False
    return history


def _taken_in(groups: _Groups, standing: np.ndarray, hosts: np.ndarray, options: JoinOptions) -> list[Join]:
    """Each of the clusters `standing`, (K,) bool, becomes a part of that of `hosts` which looks most like it and does
    not lie at another height."""
    against = -np.log(groups.against(options))
    distance = _distances(groups.means) / max(groups.usual, 1e-12) + against
    found = []
    for gone in np.flatnonzero(standing).tolist():
        host = int(np.where(hosts, distance[gone], np.inf).argmin())
        found.append(Join(host, gone, round(float(options.likeness * np.exp(-distance[gone, host])), 9)))
    return found


def join_by_looks(looks: np.ndarray, sizes: np.ndarray, count: int) -> Joining:
    """Join by looks (N, C) alone, until `count` are left; sizes: (N,) whole numbers, how much of each there is."""
    return join_classes(
        replace(Evidence.nothing(len(looks)), pixels=sizes, passed=sizes),
        looks,
        count,
    )


def joins_until_the_fall(strengths: Sequence[float]) -> int:
    """How many joins are made before the strength falls most sharply, between MOST and FEWEST classes."""
    falling = np.minimum.accumulate(np.maximum(np.asarray(strengths, float), 1e-9))
    most, least = len(falling) - FEWEST + 1, max(0, len(falling) - MOST + 1)
    if most <= least or most < 1:
        return max(0, min(len(falling), most))
    places = np.arange(max(1, least), min(most, len(falling) - 1) + 1)
    return (
        int(places[np.argmax(np.log(falling[places - 1]) - np.log(falling[places]))]) if len(places) else len(falling)
    )


@dataclass(eq=False)
class _Groups:
    """Sums over the clusters of each class while they are joined."""

    transitions: np.ndarray  # (K, K) symmetric, every gap weighs the same
    heights: np.ndarray  # (K, bins)
    # (K, bins) the same of level clusters alone: what they are joined with does not blur their level
    of_levels: np.ndarray
    means: np.ndarray  # (K, C) of their looks
    pixels: np.ndarray  # (K,) float64
    usual: float  # squared distance of a cluster to the one that looks most like it

    @classmethod
    def of(cls, evidence: Evidence, looks: np.ndarray | None, options: JoinOptions) -> _Groups:
        counts = [(t + t.T).astype(np.float64) for t in evidence.sure[: min(COUNTED, len(GAPS))]]
        transitions = sum((t / max(t.sum(), 1.0) for t in counts), np.zeros(counts[0].shape))
        means = (
            np.zeros((evidence.clusters, 0))
            if looks is None
            else seen_along_tracks(looks.astype(np.float64), transitions, options.along_tracks)
        )
        used = means[evidence.pixels > 0]
        nearest = _distances(used) + np.where(np.eye(len(used)), np.inf, 0)
        usual = float(np.median(nearest.min(axis=1))) if len(used) > 1 and looks is not None else 0.0
        heights = evidence.heights.astype(np.float64)
        heights[heights.sum(axis=1) < LEAST_SHARE * evidence.measured] = 0
        of_levels = heights * levels(heights, options.level).even[:, None]
        return cls(transitions, heights, of_levels, means, evidence.pixels.astype(np.float64), usual)

    def strengths(self, options: JoinOptions) -> np.ndarray:
        """(K, K)."""
        rows = self.transitions.sum(axis=1)
        strength = self.transitions / np.sqrt(np.maximum(np.outer(rows, rows), 1e-30))
        if self.usual > 0:
            strength = strength + options.likeness * np.exp(-_distances(self.means) / self.usual)
        return np.asarray(strength * self.against(options))

    def against(self, options: JoinOptions) -> np.ndarray:
        """(K, K) factor of the strength that heights give."""
        known, _, middle = levels(self.heights, options.level)
        level, _, height = levels(self.of_levels, options.level)
        both, middle = level[:, None] & level[None], np.where(level, height, middle)
        gap, factor = np.abs(middle[:, None] - middle[None]), np.ones((len(known), len(known)))
        factor[both & (gap > options.step)] *= options.two_levels
        factor[both & (gap < options.step / 2)] *= options.one_level
        factor[known[:, None] & known[None] & (level[:, None] ^ level[None]) & (gap > options.step)] *= options.upright
        return factor

    def absorb(self, kept: int, gone: int) -> None:
        total = max(self.pixels[kept] + self.pixels[gone], 1.0)
        self.means[kept] = (self.pixels[kept] * self.means[kept] + self.pixels[gone] * self.means[gone]) / total
        for sums in (self.transitions, self.transitions.T, self.heights, self.of_levels, self.pixels):
            sums[kept] += sums[gone]
            sums[gone] = 0


class Levels(NamedTuple):
    """How high clusters are."""

    known: np.ndarray  # (K,) bool: is the height known
    even: np.ndarray  # (K,) bool: is it about the same everywhere
    middle: np.ndarray  # (K,) [m], 0 where unknown


def levels(heights: np.ndarray, width: float) -> Levels:
    """(K, bins) counts -> how high the clusters are."""
    total = heights.sum(axis=1)
    share = np.cumsum(heights, axis=1) / np.maximum(total, 1)[:, None]
    low, middle, high = (MIDDLES[np.minimum((share < q).sum(axis=1), len(MIDDLES) - 1)] for q in (0.15, 0.5, 0.85))
    known = total > LEAST_HEIGHTS
    return Levels(known, known & (high - low < width), np.where(known, middle, 0.0))


def seen_along_tracks(looks: np.ndarray, transitions: np.ndarray, isotropic: float) -> np.ndarray:
    """(K, C) means in axes in which what changes along tracks of one point counts little; unchanged where no track
    changes its cluster."""
    a, b = np.nonzero(np.triu(transitions, 1))
    weight = transitions[a, b]
    if not weight.sum():
        return looks.copy()
    difference = looks[a] - looks[b]
    scatter = (difference * weight[:, None]).T @ difference / weight.sum()
    scatter += isotropic * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    variance, axes = np.linalg.eigh(scatter)
    return np.asarray(looks @ axes / np.sqrt(np.maximum(variance, 1e-12)))


def _distances(points: np.ndarray) -> np.ndarray:
    square = (points**2).sum(axis=1)
    return np.maximum(square[:, None] + square[None] - 2 * points @ points.T, 0)


def _table(
    history: Sequence[Join], pixels: np.ndarray, chosen: np.ndarray, looks: np.ndarray | None
) -> tuple[int, ...]:
    root = np.arange(len(pixels))
    for join in history:
        root[root == join.gone] = join.kept
    used = chosen & (pixels > 0) if (chosen & (pixels > 0)).any() else chosen
    roots = np.unique(root[used])
    for empty in np.flatnonzero(chosen & ~used):
        root[empty] = roots[0] if looks is None else roots[((looks[roots] - looks[empty]) ** 2).sum(axis=1).argmin()]
    sizes = np.bincount(root, weights=pixels, minlength=len(pixels))
    rank = np.full(len(pixels), -1, np.int64)
    rank[roots[np.argsort(-sizes[roots], kind="stable")]] = np.arange(len(roots))
    return tuple(np.where(chosen, rank[root], -1).tolist())
