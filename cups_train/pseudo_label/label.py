"""The label of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_ros.fusion import panoptic_from_maps
from cups_ros.types import Classes, Panoptic
from cups_train.config import LabelConfig
from cups_train.folders.labels import LabelInstance, known_instances, read_class_of
from cups_train.pseudo_label.border import clear_border
from cups_train.pseudo_label.kinds import Kinds, Scale, describe_objects, load_kinds
from cups_train.pseudo_label.sight import Sight, trim
from cups_train.pseudo_label.standing import Standing, find_standing, load_standing
from cups_train.pseudo_label.votes import Votes, count_votes, name_objects, paint
from cups_train.published import votes as published
from cups_train.types import MovingObject


@dataclass(frozen=True)
class Rules:
    """By what all frames are labelled."""

    classes: Classes
    config: LabelConfig
    kinds: Kinds | None = None  # None: votes of its pixels name a moving object
    # of the clusters 1..K of the class maps, in order; empty: the clusters are the classes
    class_of: tuple[int, ...] = ()
    standing: Standing | None = None  # None: only what moves has instances

    @property
    def clusters(self) -> int:
        """K: ids 1..K of the class maps."""
        return len(self.class_of) or (len(self.classes.learned()) if self.kinds is None else self.kinds.first - 1)

    def joined(self, clusters: np.ndarray) -> np.ndarray:
        """(H, W) ids 1..K -> (H, W) uint8 classes; void stays void."""
        return np.array([0, *self.class_of], np.uint8)[clusters] if self.class_of else clusters.astype(np.uint8)


@dataclass(frozen=True, eq=False)
class FrameLabel:
    """One frame's label as it is written."""

    class_map: np.ndarray  # (H, W) uint8, 0 = void
    instances: np.ndarray  # (H, W) uint16, 0 = none
    rows: tuple[LabelInstance, ...]  # of the instances, ascending

    def panoptic(self, classes: Classes) -> Panoptic:
        """The same as segments."""
        return panoptic_of(self.class_map, self.instances, self.rows, classes)


def read_rules(labels: Path, classes: Classes, config: LabelConfig) -> Rules:
    """By what the finished labels in a folder were made."""
    kinds = load_kinds(labels)
    standing = load_standing(labels) if config.standing and kinds is not None else None
    return Rules(classes, config, kinds, read_class_of(labels), standing)


def label_maps(
    class_map: np.ndarray,
    instances: np.ndarray,
    objects: Sequence[MovingObject],
    rules: Rules,
    scale: Scale,
    sight: Sight | None = None,
) -> FrameLabel:
    """class_map: (H, W) ids 1..K of clusters as classified; instances: (H, W) ids of `objects`, 0 = none.

    Objects take one class on all their pixels; thing pixels outside them keep their class. Where `sight` is given,
    objects are trimmed by it and standing things are instances too, as the rules say.
    """
    cleared, joined = clear_border(instances, rules.config.border), rules.joined(class_map)
    votes = count_votes(joined, cleared, len(rules.classes))
    if rules.kinds is None:
        named = _by_votes(votes, rules)
    else:
        of_clusters = count_votes(class_map, cleared, rules.clusters)
        named = rules.kinds.classes_of(describe_objects(of_clusters, cleared, objects, scale))
    outlined = trim(cleared, sight) if sight is not None and rules.config.trim else cleared
    pixels = np.bincount(outlined.ravel(), minlength=int(cleared.max(initial=0)) + 1)[votes.ids]
    ids, named, pixels = votes.ids[pixels > 0], named[pixels > 0], pixels[pixels > 0]
    known = {o.id: o for o in objects}
    rows = tuple(
        LabelInstance(
            i, class_id, known[i].score if i in known else 1.0, known[i].track_id if i in known else None, count
        )
        for i, class_id, count in zip(ids.tolist(), named.tolist(), pixels.tolist(), strict=True)
    )
    label = FrameLabel(paint(joined, outlined, ids, named), outlined.astype(np.uint16), rows)
    return label if sight is None or rules.standing is None else _with_standing(label, max([0, *known]), rules, sight)


def _by_votes(votes: Votes, rules: Rules) -> np.ndarray:
    """(N,) class of each object that voted."""
    if rules.config.votes == "published":
        return published.majority(votes.pixels)
    return name_objects(votes.pixels, rules.classes.things, rules.config.thing_vote)


def _with_standing(label: FrameLabel, taken: int, rules: Rules, sight: Sight) -> FrameLabel:
    """taken: largest id of the frame's objects, whether they are in the label or not."""
    assert rules.standing is not None
    things = np.where(np.isin(label.class_map, rules.classes.things), label.class_map, 0)
    first = 1 + max(taken, int(label.instances.max(initial=0)))
    found = find_standing(things, label.instances, sight, rules.standing, first)
    rows = (
        LabelInstance(i, class_id, rules.standing.score, None, pixels)
        for i, class_id, pixels in zip(found.ids.tolist(), found.classes.tolist(), found.pixels.tolist(), strict=True)
    )
    painted = paint(label.class_map, found.instances, found.ids, found.classes)
    return FrameLabel(painted, found.instances.astype(np.uint16), (*label.rows, *rows))


def label_picture(class_map: np.ndarray, classes: Classes) -> Panoptic:
    """The panoptic label of a single picture's class map (H, W), in which no motion is seen: stuff, and unknown object
    where a thing may be."""
    return panoptic_of(class_map, np.zeros(class_map.shape, np.uint16), (), classes)


def panoptic_of(
    class_map: np.ndarray, instances: np.ndarray, rows: Sequence[LabelInstance], classes: Classes
) -> Panoptic:
    """Label maps (H, W) -> segments: things that move or stand are instances with score and track, stuff one segment a
    class, thing pixels without an instance one of unknown objects."""
    return panoptic_from_maps(class_map, instances, known_instances(rows), classes)
