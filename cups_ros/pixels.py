"""Maps in memory that a ROS message takes without a copy. Numpy only."""

from __future__ import annotations

import array

import numpy as np


def new_map(size: tuple[int, int], dtype: type[np.generic]) -> np.ndarray:
    """(H, W) zeros in the memory of an array.array of bytes, the one container that rclpy takes without looking at
    every byte."""
    height, width = size
    data = array.array("B", [0]) * (height * width * np.dtype(dtype).itemsize)
    return np.frombuffer(data, dtype).reshape(height, width)


def container(pixels: np.ndarray) -> array.array | None:
    """The array.array that holds exactly the pixels of a map (H, W) or (H, W, C), in their order; None where they lie
    elsewhere."""
    owner = pixels.base
    while isinstance(owner, np.ndarray):
        owner = owner.base
    data = owner.obj if isinstance(owner, memoryview) else owner
    whole = (
        isinstance(data, array.array)
        and data.typecode == "B"
        and len(data) == pixels.nbytes
        and pixels.flags.c_contiguous
    )
    return data if whole else None
