"""Maps that the graph has merged, unpacked at the size of the image, against the same counted pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cups_ros.merged import unpack
from cups_ros.types import Classes, PseudoClass

CLASSES = Classes(tuple(PseudoClass(number, str(number), number > 3, (1, 1, 1)) for number in range(1, 6)))


@pytest.mark.parametrize("rows", [12, 400])  # more than a byte tells apart
@pytest.mark.parametrize("size", [(40, 60), (80, 120), (97, 151), (31, 45), (50, 40)])
def test_every_pixel_and_segment(rows: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(rows)
    ids = cv2.resize(
        rng.integers(0, rows + 1, (6, 9)).astype(np.uint16), (60, 40), interpolation=cv2.INTER_NEAREST
    ).astype(np.int32)
    ids[rng.random(ids.shape) < 0.03] = rows
    table = np.zeros((rows, 7), np.float32)
    for row in np.unique(ids[ids > 0]) - 1:
        y, x = np.nonzero(ids == row + 1)
        table[row] = rng.integers(0, 6), rng.random(), y.size, x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1
    panoptic = unpack(ids, table, CLASSES, size)
    large = cv2.resize(ids.astype(np.float32), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).astype(int)
    number, expected = 0, []
    for row in np.flatnonzero(table[:, 0]):
        mask, kind = large == row + 1, int(table[row, 0])
        number += kind > 3
        if mask.any():
            y, x = np.nonzero(mask)
            box = (x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1)
            expected.append((kind, number * (kind > 3), y.size, box))
            assert (panoptic.class_id[mask] == kind).all() and (panoptic.instance_id[mask] == number * (kind > 3)).all()
    assert [(s.class_id, s.instance_id, s.area, s.bbox) for s in panoptic.segments] == expected
    assert (panoptic.class_id > 0).sum() == sum(area for _, _, area, _ in expected)


def test_unknown_objects_are_a_crowd_of_things() -> None:
    classes = CLASSES.with_unknown((2, 2, 2))
    ids = np.array([[1, 1, 2, 2], [3, 3, 3, 0]], np.int32)
    table = np.array([[6, 1, 2, 0, 0, 2, 1], [4, 0.5, 2, 2, 0, 2, 1], [1, 1, 3, 0, 1, 3, 1]], np.float32)
    panoptic = unpack(ids, table, classes, (2, 4))
    assert [(s.class_id, s.instance_id, s.is_thing) for s in panoptic.segments] == [
        (6, 0, True),
        (4, 1, True),
        (1, 0, False),
    ]
    assert panoptic.class_id.tolist() == [[6, 6, 4, 4], [1, 1, 1, 0]] and panoptic.instance_id.tolist() == [
        [0, 0, 1, 1],
        [0, 0, 0, 0],
    ]
