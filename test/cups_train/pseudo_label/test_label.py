"""The label of one frame, on maps written by hand."""

from __future__ import annotations

import numpy as np

from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.pseudo_label import label_picture
from cups_train.pseudo_label.kinds import Scale
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.types import MovingObject

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i >= 5, (i, i, i)) for i in range(1, 7)))


def test_label_of_one_frame() -> None:
    """Object 2 is three parts wall and one part car: car. Object 3 is all wall: stuff, no instance."""
    class_map = np.full((8, 40), 2, np.uint8)
    class_map[:, 10:12] = 5
    instances = np.zeros((8, 40), np.uint16)
    instances[:, 10:18], instances[:, 22:30] = 2, 3
    objects = [MovingObject(2, 7, 0.5, 64, np.eye(4), (0, 0, 9), "residual")]
    scale = Scale(100.0, 0.1)
    panoptic = label_maps(class_map, instances, objects, Rules(CLASSES, LabelConfig()), scale).panoptic(CLASSES)
    assert [(s.class_id, s.instance_id, s.score, s.track_id, s.area) for s in panoptic.segments] == [
        (5, 2, 0.5, 7, 64),
        (2, 0, 1.0, 0, 256),
    ]
    by_vote = Rules(CLASSES, LabelConfig(votes="published", thing_vote=1, kinds=0))
    published = label_maps(class_map, instances, objects, by_vote, scale).panoptic(CLASSES)
    assert [s.class_id for s in published.segments] == [2]
    assert [s.class_id for s in label_picture(class_map, CLASSES).segments] == [2]
    seen = label_picture(class_map, CLASSES.with_unknown((1, 1, 1))).segments
    assert [(s.class_id, s.is_crowd, s.area) for s in seen] == [(2, False, 304), (7, True, 16)]
