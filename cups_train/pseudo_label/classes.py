"""The classes that a user sees: clusters joined into few, parked things with the kind of driving ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cups_ros.colors import palette
from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.kinds import Kinds
from cups_train.pseudo_label.likeness import likeness
from cups_train.pseudo_label.sameness import Evidence, join_by_looks, join_classes, kinds_of_clusters, steadiness
from cups_train.pseudo_label.split import Split


@dataclass(frozen=True, eq=False)
class Clusters:
    """What is known of the clusters of the class maps."""

    split: Split
    looks: np.ndarray | None  # (K, C) their means in what is known of cells
    pixels: np.ndarray  # (K,) int64
    votes: np.ndarray | None  # (K, kinds) pixels of each in objects of each kind; None: there are no kinds


@dataclass(frozen=True)
class JoinedClasses:
    """The classes, and which of them each cluster became."""

    classes: Classes
    class_of: tuple[int, ...]  # of cluster 1.., in order
    kinds: Kinds | None
    how: Mapping[str, Any]  # for joining.json

    @classmethod
    def unjoined(cls, split: Split) -> JoinedClasses:
        """Every cluster a class, without kinds."""
        return cls(split.classes(), tuple(range(1, len(split.table) + 1)), None, {})


def joins_needed(clusters: Clusters, kinds: Kinds | None, count: int | None) -> bool:
    """Whether there are more stuff clusters than `count` classes leave room for; None: the number is found."""
    return count is None or len(clusters.pixels) - len(clusters.split.things) > room_for_stuff(clusters, kinds, count)


def room_for_stuff(clusters: Clusters, kinds: Kinds | None, count: int) -> int:
    """Of `count` classes, those that are left for stuff: half of them at least."""
    taken = len(clusters.split.things) if kinds is None else kinds.count
    return max(count - taken, count // 2, 1)


def join(
    clusters: Clusters, kinds: Kinds | None, count: int | None, evidence: Evidence | None, config: LabelConfig
) -> JoinedClasses:
    """At most `count` classes, pixel classes and kinds together; None: as many as there are before the strength of
    joins falls most sharply. What a person has cut (`labels.cut`) comes on top, after the joined stuff.

    evidence: where `joins_needed`. Without kinds, clusters on the thing side are joined by their looks where they leave
    no room for stuff. Raises CupsError on a cut that cannot be made.
    """
    k = len(clusters.pixels)
    cut = _cut(config.cut, k)
    things = np.isin(np.arange(1, k + 1), clusters.split.things) & (cut == 0)
    if kinds is None and count is not None and k <= count and not config.cut:
        return JoinedClasses.unjoined(clusters.split)
    class_of, how, among = np.zeros(k, np.int64), {}, ~things & (cut == 0)
    if evidence is None:
        class_of[among] = 1 + np.arange(np.count_nonzero(among))
    else:
        room = None if count is None else room_for_stuff(clusters, kinds, count)
        joining = join_classes(evidence, clusters.looks, room, among=among)
        class_of[among] = 1 + np.array(joining.table)[among]
        how = joining.to_json()
    class_of[cut > 0] = int(class_of.max(initial=0)) + cut[cut > 0]
    stuff = int(class_of.max(initial=0))
    if kinds is not None and clusters.votes is not None:
        far = config.likeness
        weights = np.eye(k) if clusters.looks is None or not far else likeness(clusters.looks, far)
        class_of[things] = 1 + stuff + kinds_of_clusters(clusters.votes, weights, things)[things]
        kinds = replace(kinds, first=1 + stuff)
        number = kinds.count
    else:
        class_of[things] = (
            1 + stuff + _thing_classes(clusters, things, None if count is None else max(count - stuff, 1))
        )
        number = int(class_of.max(initial=0)) - stuff
    if evidence is not None:
        how = {**how, "kept": steadiness(evidence, class_of)}
    return JoinedClasses(_named(stuff, number, kinds is not None), tuple(class_of.tolist()), kinds, how)


def _cut(groups: Sequence[Sequence[int]], k: int) -> np.ndarray:
    """(K,) number 1.. of the group that a person has cut each cluster into, 0 for the others."""
    cut = np.zeros(k, np.int64)
    for number, group in enumerate(groups, 1):
        for cluster in group:
            if not 1 <= cluster <= k or cut[cluster - 1]:
                raise CupsError(
                    f"expected in labels.cut clusters of 1 to {k}, each once, found {cluster}; "
                    "names.html of `cups-train name` shows their numbers"
                )
            cut[cluster - 1] = number
    return cut


def _thing_classes(clusters: Clusters, things: np.ndarray, most: int | None) -> np.ndarray:
    """(things,) class 0.. of each cluster on the thing side, where there are no kinds."""
    number = int(np.count_nonzero(things))
    if most is None or number <= most or clusters.looks is None:
        return np.arange(number)
    return np.array(join_by_looks(clusters.looks[things], clusters.pixels[things], most).table, np.int64)


def _named(stuff: int, things: int, movers: bool) -> Classes:
    colors = palette(stuff + things)
    names = [
        *(f"class_{i + 1:02d}" for i in range(stuff)),
        *(f"{'mover' if movers else 'thing'}_{i + 1:02d}" for i in range(things)),
    ]
    return Classes(tuple(PseudoClass(i + 1, name, i >= stuff, colors[i]) for i, name in enumerate(names)))
