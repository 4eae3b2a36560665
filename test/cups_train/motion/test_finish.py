"""Pictures of what moves."""

import numpy as np

from cups_train.motion.finish import overlay
from cups_train.types import MotionResult, MovingObject


def test_objects_are_tinted_outlined_and_what_is_no_object_any_more_stays_as_it_is():
    image = np.full((40, 60, 3), 101, np.uint8)
    instances = np.zeros((40, 60), np.uint16)
    instances[5:35, 5:25], instances[20:35, 30:50] = 300, 2
    item = MovingObject(300, 7, 1.0, 100, np.eye(4), (0.0, 0.0, 10.0), "residual")
    picture = overlay(image, MotionResult("000000", 0, instances, np.eye(4), (item,), None))
    assert (picture[20:35, 30:50] == 101).all() and (picture[-1] == 101).all()  # one that was left out, and nothing
    outline, inside = picture[5, 5].astype(int), picture[30, 8].astype(int)
    assert (np.abs(inside - (101 + outline) / 2) <= 0.5).all() and inside.tolist() != [101] * 3
    assert (image == 101).all()
