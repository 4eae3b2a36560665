"""The map that a graph has merged by itself (outputs `panoptic` and `segments`) to a Panoptic."""
from __future__ import annotations

import cv2
import numpy as np

from cups_ros.types import Classes, Panoptic, Segment


def unpack(ids: np.ndarray, table: np.ndarray, classes: Classes, image_size: tuple[int, int]) -> Panoptic:
    """What the graph has merged by itself -> a Panoptic at the size of the image, which must fill the network's input.

    ids: (height, width) integer, 0 = void, else 1 + row of `table`; table: (R, 7) class, score, area, x, y, width, height, area 0 on rows
    without a segment. Instances are numbered in the order of their rows.
    """
    things = classes.thing_table()
    rows = [row for row in np.flatnonzero(table[:, 2] > 0).tolist() if table[row, 0] > 0]
    numbers = dict(zip((row for row in rows if things[int(table[row, 0])]), range(1, len(rows) + 1), strict=False))
    class_of, instance_of = np.zeros(len(table) + 1, np.uint8), np.zeros(len(table) + 1, np.uint16)
    for row in rows:
        class_of[row + 1], instance_of[row + 1] = int(table[row, 0]), numbers.get(row, 0)
    ids = ids.astype(np.uint16)
    if ids.shape == tuple(image_size):
        segments = [Segment(int(table[r, 0]), numbers.get(r, 0), r in numbers, float(table[r, 1]), int(table[r, 2]),
                            (int(table[r, 3]), int(table[r, 4]), int(table[r, 5]), int(table[r, 6]))) for r in rows]
    else:
        ids = cv2.resize(ids, (image_size[1], image_size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
        masks = ((r, ids == r + 1) for r in rows)
        segments = [_segment(mask, table[r], numbers.get(r, 0)) for r, mask in masks if mask.any()]
    return Panoptic(class_of[ids], instance_of[ids], tuple(segments))


def _segment(mask: np.ndarray, row: np.ndarray, number: int) -> Segment:
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Segment(int(row[0]), number, number > 0, float(row[1]), int(np.count_nonzero(mask)), (x, y, width, height))
