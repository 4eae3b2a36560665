"""Objects that the network itself discovers."""

from __future__ import annotations

import numpy as np

from cups_ros.types import RawOutput
from cups_train.bootstrap.discoveries import new_objects
from cups_train.training.sample import Sample


def test_discoveries_are_confident_and_new(make_classes):
    sample = Sample(
        np.zeros((64, 128, 3), np.uint8), np.ones((64, 128), np.uint8), np.zeros((64, 128), np.uint16), np.array([0])
    )
    sample.instance[10:30, 10:30] = 1
    boxes = np.array([[10, 10, 30, 30], [60, 10, 90, 40], [90, 40, 120, 60]], np.float32)
    scores, masks = np.array([0.9, 0.8, 0.6], np.float32), np.ones((3, 28, 28), np.float32)
    answer = RawOutput(boxes, scores, np.array([2, 4, 4]), masks, np.ones((64, 128), np.int32))
    found = new_objects(sample, answer, make_classes(), 0.75)
    assert [(s.thing, s.mask.shape) for s in found] == [(1, (30, 30))]  # the first is known, the last is not sure
