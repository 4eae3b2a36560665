"""The map that a graph has merged by itself (outputs `panoptic` and `segments`) to a Panoptic."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.boxes import box_in_resized, enlarged
from cups_ros.fusion import areas, look_up
from cups_ros.types import Box, Classes, Panoptic, Segment

BOX = slice(3, 7)  # columns of the table


def unpack(ids: np.ndarray, table: np.ndarray, classes: Classes, image_size: tuple[int, int]) -> Panoptic:
    """What the graph has merged by itself -> a Panoptic at the size of the image, which must fill the network's input.

    ids: (height, width) integer, 0 = void, else 1 + row of `table`; table: (R, 7) class, score, area, x, y, width,
    height, area 0 on rows without a segment. Instances are numbered in the order of their rows.
    """
    things = classes.thing_table()
    rows = [row for row in np.flatnonzero(table[:, 2] > 0).tolist() if table[row, 0] > 0]
    numbers = dict(zip((row for row in rows if things[int(table[row, 0])]), range(1, len(rows) + 1), strict=False))
    count = max(256, len(table) + 1)  # at least what a uint8 tells apart
    class_of, instance_of = np.zeros(count, np.uint8), np.zeros(count, np.uint16)
    for row in rows:
        class_of[row + 1], instance_of[row + 1] = int(table[row, 0]), numbers.get(row, 0)
    size, ids = ids.shape, ids.astype(np.uint8 if count == 256 else np.uint16)
    if size == tuple(image_size):
        found = {row: (int(table[row, 2]), _four(table[row, BOX])) for row in rows}
    else:
        ids = cv2.resize(ids, (image_size[1], image_size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
        pixels, boxes = areas(ids, count), {row: _four(table[row, BOX]) for row in rows}
        if size[0] <= image_size[0] and size[1] <= image_size[1]:  # every pixel is still there
            found = {
                row: (int(pixels[row + 1]), enlarged(boxes[row], size, image_size)) for row in rows if pixels[row + 1]
            }
        else:
            found = {
                row: (int(pixels[row + 1]), box_in_resized(ids, row + 1, boxes[row], size))
                for row in rows
                if pixels[row + 1]
            }
    named = {row: int(table[row, 0]) for row in found}
    segments = (
        Segment(named[row], numbers.get(row, 0), classes.is_thing(named[row]), float(table[row, 1]), *found[row])
        for row in found
    )
    return Panoptic(look_up(class_of, ids), look_up(instance_of, ids), tuple(segments))


def _four(values: np.ndarray) -> Box:
    x, y, width, height = (int(value) for value in values)
    return x, y, width, height
