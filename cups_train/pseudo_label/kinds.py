"""Kinds of movers: moving objects grouped by size in metres, speed and looks, so that people, cyclists, cars and
lorries are told apart.

The classes of single pixels know little of rare things: on rendered streets the most frequent class of its pixels
(CUPS) names two in three moving objects rightly, its kind nine in ten. Size and speed come from stereo and motion,
which need no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from cups_train.errors import ResultError
from cups_train.files import read_json, write_json
from cups_train.pseudo_label.sameness import join_by_looks
from cups_train.pseudo_label.votes import Votes
from cups_train.types import MovingObject

FILE = "kinds.json"
SIZES = 5  # log width, log height, log width / height, share of its box that it fills, log speed
LOOKS = 8  # principal components of the roots of its shares of the classes
LOOKS_SCALE = 2.0
EDGES = (3, 97)  # percentiles: masks have ragged borders
SLOWEST = 0.05  # m/s
OBJECTS_A_KIND = 8  # fewer moving objects make fewer kinds
STARTS = 4


@dataclass(frozen=True)
class Scale:
    """What turns pixels into metres and steps into speeds."""

    focal: float  # px
    step_s: float  # from t to t + 1


@dataclass(frozen=True, eq=False)
class Objects:
    """Moving objects as they are compared."""

    ids: np.ndarray  # (N,) ascending
    sizes: np.ndarray  # (N, SIZES) float64
    looks: np.ndarray  # (N, K) float64: root of the share of each cluster of pixels (Hellinger's distance)
    pixels: np.ndarray  # (N,) int64

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def together(cls, parts: Sequence[Objects], k: int) -> Objects:
        """The objects of all frames; ids count in their own frame only."""
        none = cls(np.zeros(0, int), np.zeros((0, SIZES)), np.zeros((0, k)), np.zeros(0, int))
        return cls(
            *(
                np.concatenate([getattr(p, name) for p in (none, *parts)])
                for name in ("ids", "sizes", "looks", "pixels")
            )
        )


@dataclass(frozen=True, eq=False)
class Kinds:
    """The kinds, each with one centre or several. Kind i is pseudo class first + i."""

    first: int
    mean: np.ndarray  # (SIZES,)
    deviation: np.ndarray  # (SIZES,)
    looks_mean: np.ndarray  # (K,)
    axes: np.ndarray  # (LOOKS or fewer, K)
    centres: np.ndarray  # (M, SIZES + axes)
    kind_of: np.ndarray  # (M,) int64 kind of each centre

    @property
    def count(self) -> int:
        return int(self.kind_of.max()) + 1

    def features(self, objects: Objects) -> np.ndarray:
        """What objects are told apart by: (N, F), sizes and then looks along the axes."""
        looks = LOOKS_SCALE * (objects.looks - self.looks_mean) @ self.axes.T
        return np.concatenate([(objects.sizes - self.mean) / self.deviation, looks], axis=1)

    def classes_of(self, objects: Objects) -> np.ndarray:
        """(N,) int64 pseudo classes."""
        return self.first + self.kind_of[self.nearest(objects)]

    def nearest(self, objects: Objects) -> np.ndarray:
        """(N,) int64 index of the nearest centre."""
        distance = ((self.features(objects)[:, None] - self.centres[None]) ** 2).sum(axis=2)
        return np.asarray(distance.argmin(axis=1))

    def votes(self, objects: Objects) -> np.ndarray:
        """(K, kinds) float64: pixels of each cluster in objects of each kind."""
        total = np.zeros((objects.looks.shape[1], self.count))
        np.add.at(total.T, self.kind_of[self.nearest(objects)], objects.pixels[:, None] * objects.looks**2)
        return total


def describe_objects(votes: Votes, instances: np.ndarray, objects: Sequence[MovingObject], scale: Scale) -> Objects:
    """The objects that voted, of the map `instances` (H, W) and among `objects`."""
    known = {o.id: o for o in objects}
    sizes = [_sizes(instances == i, known[i], scale) for i in votes.ids.tolist()]
    shares = votes.pixels[:, 1:] / np.maximum(votes.pixels[:, 1:].sum(axis=1, keepdims=True), 1)
    return Objects(
        votes.ids, np.array(sizes, float).reshape(len(votes), SIZES), np.sqrt(shares), votes.pixels.sum(axis=1)
    )


def find_kinds(objects: Objects, first: int, most: int, seed: int) -> Kinds | None:
    """At most `most` kinds by k-means; None where there are too few objects for two."""
    number = min(most, len(objects) // OBJECTS_A_KIND)
    if number < 2:
        return None
    looks = PCA(min(LOOKS, *objects.looks.shape), svd_solver="full").fit(objects.looks)
    start = Kinds(
        first,
        objects.sizes.mean(axis=0),
        np.maximum(objects.sizes.std(axis=0), 1e-6),
        looks.mean_,
        looks.components_,
        np.zeros((0, 0)),
        np.zeros(0, np.int64),
    )
    means = KMeans(number, n_init=STARTS, random_state=seed).fit(start.features(objects))
    order = np.argsort(-np.bincount(means.labels_, minlength=number), kind="stable")
    return replace(start, centres=means.cluster_centers_[order].round(6), kind_of=np.arange(number))


def join_kinds(kinds: Kinds, objects: Objects, most: int) -> Kinds:
    """The same centres as `most` kinds at most: those that are most alike in size, speed and looks become one, the kind
    of most objects first."""
    counts = np.bincount(kinds.nearest(objects), minlength=len(kinds.centres))
    return replace(kinds, kind_of=np.array(join_by_looks(kinds.centres, counts, most).table, np.int64))


def save_kinds(folder: Path, kinds: Kinds | None) -> None:
    """FOLDER/kinds.json; without kinds, moving objects are named by the votes of their pixels."""
    names = ("mean", "deviation", "looks_mean", "axes", "centres", "kind_of")
    write_json(
        folder / FILE,
        None if kinds is None else {"first": kinds.first, **{n: getattr(kinds, n).tolist() for n in names}},
    )


def load_kinds(folder: Path) -> Kinds | None:
    """What `save_kinds` wrote. Raises ResultError."""
    card: Any = read_json(folder / FILE)
    try:
        if card is None:
            return None
        first, kind_of = int(card.pop("first")), np.array(card.pop("kind_of"), np.int64)
        return Kinds(first, **{name: np.array(rows, float) for name, rows in card.items()}, kind_of=kind_of)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultError(
            f"expected kinds of moving objects in {folder / FILE}, found {error}; `cups-train "
            "pseudo-label` makes it again"
        ) from error


def _sizes(mask: np.ndarray, moving: MovingObject, scale: Scale) -> list[float]:
    v, u = np.nonzero(mask)
    (left, right), (top, bottom) = np.percentile(u, EDGES), np.percentile(v, EDGES)
    width, height = right - left + 1, bottom - top + 1
    metres = max(moving.centroid_m[2], 0.1) / scale.focal
    place = np.array([*moving.centroid_m, 1.0])
    speed = float(np.linalg.norm((moving.transform @ place - place)[:3])) / scale.step_s
    filled = min(1.0, len(u) / (width * height))
    return [
        np.log(width * metres),
        np.log(height * metres),
        np.log(width / height),
        filled,
        np.log(max(speed, SLOWEST)),
    ]
