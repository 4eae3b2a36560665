"""The classes that a user sees: clusters joined into few, parked things with the kind of driving ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cups_ros.colors import palette
from cups_ros.types import Classes, PseudoClass
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
    clusters: Clusters, kinds: Kinds | None, count: int | None, evidence: Evidence | None, reach: float
) -> JoinedClasses:
    """At most `count` classes, pixel classes and kinds together; None: as many as there are before the strength of
    joins falls most sharply.

    evidence: where `joins_needed`; reach: of likeness between clusters (`labels.likeness`). Without kinds, clusters on
    the thing side are joined by their looks where they leave no room for stuff.
    """
    k, things = len(clusters.pixels), np.isin(np.arange(1, len(clusters.pixels) + 1), clusters.split.things)
    if kinds is None and count is not None and k <= count:
        return JoinedClasses.unjoined(clusters.split)
    class_of, how = np.zeros(k, np.int64), {}
    if evidence is None:
        class_of[~things] = 1 + np.arange(np.count_nonzero(~things))
    else:
        room = None if count is None else room_for_stuff(clusters, kinds, count)
        joining = join_classes(evidence, clusters.looks, room, among=~things)
        class_of[~things] = 1 + np.array(joining.table)[~things]
        how = joining.to_json()
    stuff = int(class_of.max(initial=0))
    if kinds is not None and clusters.votes is not None:
        weights = np.eye(k) if clusters.looks is None or not reach else likeness(clusters.looks, reach)
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
