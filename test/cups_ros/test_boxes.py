from __future__ import annotations

import cv2
import numpy as np
import pytest

from cups_ros.boxes import box_in_resized, box_of, enlarged, iou, window_of


def square() -> np.ndarray:
    mask = np.zeros((8, 10), bool)
    mask[2:5, 6:9] = True
    return mask


def test_iou_by_hand() -> None:
    overlaps = iou(
        np.array([[0, 0, 10, 10]], float), np.array([[5, 0, 15, 10], [0, 0, 10, 10], [10, 0, 20, 10]], float)
    )
    np.testing.assert_allclose(overlaps, [[1 / 3, 1, 0]])


def test_box_and_window_of_a_mask() -> None:
    assert box_of(square()) == (6, 2, 3, 3) and box_of(np.zeros((3, 4), bool)) == (0, 0, 0, 0)
    assert window_of(square()) == (slice(2, 5), slice(6, 9))
    assert window_of(square(), 2) == (slice(0, 7), slice(4, 10))  # not beyond the map


@pytest.mark.parametrize("size", [(8, 10), (16, 20), (17, 33), (5, 6)])
def test_a_box_in_a_resized_map_is_the_one_that_is_searched_for(size: tuple[int, int]) -> None:
    ids = square().astype(np.uint8)
    resized = cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    assert box_in_resized(resized, 1, box_of(square()), ids.shape) == box_of(resized == 1)
    if size >= ids.shape:
        assert enlarged(box_of(square()), ids.shape, size) == box_of(resized == 1)
