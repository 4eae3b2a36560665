"""Colours of classes and the coloured picture of a panoptic map: numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.types import Classes, Color, Panoptic

_OUTLINE_RGB = (255, 255, 255)


def palette(count: int) -> list[Color]:
    """`count` well separated colours, always the same ones: the first n of a longer palette are the palette
    of n.

    Each colour is the one of a grid that lies farthest in CIELAB from black (void), white (outlines) and all before it.
    """
    side = np.arange(32, 256, 31, dtype=np.uint8)  # 8 values a channel: 512 candidates
    grid = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor(grid[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    distance = np.minimum(np.linalg.norm(lab, axis=1), np.linalg.norm(lab - (100, 0, 0), axis=1))
    colors = []
    for _ in range(count):
        best = int(distance.argmax())
        r, g, b = grid[best].tolist()
        colors.append((r, g, b))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[best], axis=1))
    return colors


def overlay(image: np.ndarray, panoptic: Panoptic, classes: Classes, alpha: float = 0.5) -> np.ndarray:
    """The image with its classes laid over in their colours and white outlines around instances; void stays as it is.

    image: (H, W, 3) uint8 RGB of the size of `panoptic`; alpha: 0 (image) to 1 (colours) -> (H, W, 3) uint8 RGB.
    """
    if image.shape != (*panoptic.class_id.shape, 3):
        raise ValueError(f"expected an image of shape {(*panoptic.class_id.shape, 3)}, got {image.shape}")
    picture = tint(image, panoptic.class_id, classes.color_table(), alpha)
    picture[outlines(panoptic.instance_id)] = _OUTLINE_RGB
    return picture


def tint(image: np.ndarray, class_id: np.ndarray, table: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """The image under the colours of its (H, W) map of ids; void, 0, stays as it is. table: (K + 1, 3) uint8 RGB by
    id."""
    whole = np.zeros((max(256, len(table)), 3), np.uint8)
    whole[: len(table)] = table
    picture = cv2.addWeighted(image, 1 - alpha, whole[class_id], alpha, 0)
    void = class_id == 0
    picture[void] = image[void]
    return picture


def outlines(instance_id: np.ndarray) -> np.ndarray:
    """(H, W) instance ids, 0 = none -> (H, W) bool: pixels of an instance with another id above, below, left or
    right."""
    edge = np.zeros(instance_id.shape, bool)
    below = instance_id[1:] != instance_id[:-1]
    right = instance_id[:, 1:] != instance_id[:, :-1]
    edge[1:] |= below
    edge[:-1] |= below
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge & (instance_id > 0)
