from __future__ import annotations

import array

import numpy as np
import pytest

from cups_ros.pixels import container, new_map


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_lies_in_an_array_of_bytes(dtype: type) -> None:
    map_ = new_map((3, 5), dtype)
    assert map_.shape == (3, 5) and map_.dtype == dtype and not map_.any()
    map_[1, 2] = 7
    data = container(map_)
    assert isinstance(data, array.array) and data.tobytes() == map_.tobytes()


def test_only_whole_maps_are_taken_as_they_are() -> None:
    map_ = new_map((4, 6), np.uint16)
    for part in (map_[1:], map_[:, 1:], map_[::-1], map_.T, map_.copy(), np.zeros((4, 6), np.uint16)):
        assert container(part) is None
    assert container(map_.reshape(6, 4)) is not None
    assert container(np.frombuffer(array.array("H", [1, 2]), np.uint16)) is None  # a message wants bytes
    assert container(np.frombuffer(bytes(4), np.uint8)) is None


def test_an_empty_map() -> None:
    assert new_map((0, 4), np.uint8).shape == (0, 4)
