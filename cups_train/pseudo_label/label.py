"""The label of one frame."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cups_ros.fusion import panoptic_from_maps
from cups_ros.types import Classes, Panoptic
from cups_train.config import LabelConfig
from cups_train.folders.labels import LabelInstance
from cups_train.pseudo_label.align import align, clear_border, count_votes, object_classes, paint
from cups_train.pseudo_label.kinds import Kinds, Lens, describe_objects
from cups_train.types import MovingObject

FrameLabel = tuple[np.ndarray, np.ndarray, tuple[LabelInstance, ...]]


@dataclass(frozen=True)
class Rules:
    """By what all frames are labelled."""

    classes: Classes
    config: LabelConfig
    kinds: Kinds | None = None  # None: votes of its pixels name a moving object

    @property
    def pixel_classes(self) -> int:
        """K: ids 1..K are classes of pixels, those after them kinds of movers."""
        return len(self.classes) if self.kinds is None else self.kinds.first - 1


def label_maps(class_map: np.ndarray, instances: np.ndarray, objects: Sequence[MovingObject], rules: Rules, lens: Lens) -> FrameLabel:
    """Class map (H, W) uint8, instance map (H, W) uint16 and instances of one frame.

    class_map: (H, W) ids 1..K as classified; instances: (H, W) ids of `objects`, 0 = none. Objects take one class on all their
    pixels; thing pixels outside them keep their class and have no instance.
    """
    config, k = rules.config, rules.pixel_classes
    cleared = clear_border(instances, config.border)
    ids, votes = count_votes(class_map, cleared, k)
    if config.compat == "reference":
        aligned = align(class_map, cleared, k, compat=True)
        named = np.array([aligned[cleared == i][0] for i in ids.tolist()], np.int64)
    else:
        named = object_classes(votes, rules.classes.things, config.thing_vote) if rules.kinds is None else rules.kinds.classes_of(
            describe_objects(ids, votes, cleared, objects, lens))
        aligned = paint(class_map, cleared, ids, named)
    known = {o.id: o for o in objects}
    pixels = votes.sum(axis=1)
    return aligned, cleared.astype(np.uint16), tuple(
        LabelInstance(i, int(kind), known[i].score if i in known else 1.0, known[i].track_id if i in known else None, int(n))
        for i, kind, n in zip(ids.tolist(), named, pixels, strict=True))


def label_frame(class_map: np.ndarray, instances: np.ndarray, objects: Sequence[MovingObject], rules: Rules, lens: Lens) -> Panoptic:
    """The panoptic label of one frame, from its class map (H, W), the object ids (H, W) and the objects."""
    return panoptic_of(*label_maps(class_map, instances, objects, rules, lens), rules.classes)


def label_picture(class_map: np.ndarray, classes: Classes) -> Panoptic:
    """The panoptic label of a single picture, in which no motion is seen: stuff, and void where a thing may be."""
    return panoptic_of(class_map, np.zeros(class_map.shape, np.uint16), (), classes)


def panoptic_of(class_map: np.ndarray, instances: np.ndarray, rows: Sequence[LabelInstance], classes: Classes) -> Panoptic:
    """Label maps -> segments: moving things are instances with score and track, stuff one segment a class; unknown thing pixels are void."""
    tracks = {r.id: r.track_id for r in rows if r.track_id is not None}
    return panoptic_from_maps(class_map, instances, classes, {r.id: r.score for r in rows}, tracks)
