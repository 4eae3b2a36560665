from __future__ import annotations

import numpy as np
import pytest

from cups_ros.depth import Pinhole, depth_from_disparity, locate
from cups_ros.types import Panoptic, Segment

CAMERA = Pinhole(20, 40, fx=50.0, fy=50.0, cx=19.5, cy=9.5)


def scene() -> tuple[Panoptic, np.ndarray]:
    """A car in rows 5..14, columns 20..29 at 10 m, one column of it at 14 m, before a wall at 50 m."""
    kinds, instances = np.ones((20, 40), np.uint8), np.zeros((20, 40), np.uint16)
    kinds[5:15, 20:30], instances[5:15, 20:30] = 2, 1
    depth = np.full((20, 40), 50.0, np.float32)
    depth[5:15, 20:30] = 10.0
    depth[5:15, 29] = 14.0
    segments = (Segment(2, 1, True, 0.9, 100, (20, 5, 10, 10)), Segment(1, 0, False, 1.0, 700, (0, 0, 40, 20)))
    return Panoptic(kinds, instances, segments), depth


def test_disparity_becomes_metres() -> None:
    depth = depth_from_disparity(
        np.array([[10.0, 0.0, -1.0, np.nan, np.inf, 2.0]], np.float32), 100.0, 0.5, smallest=1.0
    )
    assert depth.tolist() == [[5.0, 0.0, 0.0, 0.0, 0.0, 25.0]]


def test_position_and_extent_by_hand() -> None:
    panoptic, depth = scene()
    car, wall = locate(panoptic, depth, CAMERA, 80.0)
    # Columns 20..29 are (0.5 .. 9.5) px right of the axis; the last one is at 14 m. numpy's percentiles of 100 values.
    x = np.sort(np.repeat([(column - 19.5) / 50 * (14 if column == 29 else 10) for column in range(20, 30)], 10))
    low, high = np.percentile(x, (5, 95))
    assert car.position[0] == pytest.approx((low + high) / 2) and car.extent[0] == pytest.approx(high - low)
    assert car.position[1] == pytest.approx(0, abs=1e-9) and car.extent[1] == pytest.approx(1.84, abs=0.15)
    assert (car.position[2], car.extent[2]) == pytest.approx((12.0, 4.0)) and car.pixels == 100
    assert (wall.position[2], wall.extent[2]) == pytest.approx((50.0, 0.0)) and wall.pixels == 700
    assert locate(panoptic, depth, CAMERA, 20.0) == (car,)  # the wall is too far


def test_depth_of_another_size_gives_the_same_place() -> None:
    panoptic, depth = scene()
    depth[5:15, 29] = 10.0
    whole = locate(panoptic, depth, CAMERA, 80.0)[0]
    half = locate(panoptic, depth[1::2, 1::2], CAMERA, 80.0)[0]
    np.testing.assert_allclose(half.position, whole.position, atol=0.21)  # half a pixel of 25 px focal length at 10 m
    assert half.position[2] == 10.0 and half.pixels == 25


def test_without_depth_there_is_no_place() -> None:
    panoptic, depth = scene()
    depth[:] = np.nan
    depth[6, 21:25] = 3.0  # four pixels are too few
    assert locate(panoptic, depth, CAMERA, 80.0) == ()


def test_a_camera_at_another_size() -> None:
    """Height first; the middle of the image stays in the middle."""
    assert CAMERA.scaled(40, 20) == Pinhole(40, 20, fx=25.0, fy=100.0, cx=9.5, cy=19.5)


def test_unknown_objects_are_no_one_place() -> None:
    panoptic, depth = scene()
    crowd = Segment(1, 0, True, 1.0, 700, (0, 0, 40, 20))
    assert (
        len(
            locate(
                Panoptic(panoptic.class_id, panoptic.instance_id, (panoptic.segments[0], crowd)), depth, CAMERA, 80.0
            )
        )
        == 1
    )
