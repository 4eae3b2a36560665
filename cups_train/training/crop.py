"""Sizes, windows and resizing. Sizes are (height, width)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.network.spec import SIZE_STEP, to_step
from cups_train.training.sample import Sample

AREA_FRACTION = (0.7, 1.0)  # of the largest window with the network's aspect ratio (CUPS, stage 2)
Size = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def jitter_sizes(size: Size, scales: tuple[float, float]) -> list[Size]:
    """The sizes of the resolution jitter: heights in steps of 32 within `scales` times the input's, widths in its
    aspect ratio.

    For (640, 1280) and (0.6, 1.1) these are the published eleven, 384x768 ... 704x1408.
    """
    height, width = size
    lowest, highest = -(-int(height * scales[0]) // SIZE_STEP), int(height * scales[1] + 1e-6) // SIZE_STEP
    heights = [rows * SIZE_STEP for rows in range(max(1, lowest), highest + 1)] or [height]
    return [(rows, to_step(rows * width / height)) for rows in heights]


def random_window(image_size: Size, aspect: float, fraction: tuple[float, float], rng: np.random.Generator) -> Window:
    """A window with `aspect` (width / height), anywhere in the image; its area is U(fraction) of the largest such
    window."""
    height, width = image_size
    tallest, widest = min(float(height), width / aspect), min(float(width), height * aspect)
    side = float(rng.uniform(*fraction)) ** 0.5
    rows, columns = max(1, round(tallest * side)), max(1, round(widest * side))
    return Window(int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1)), rows, columns)


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """(H, W, 3) uint8 -> `size`; averages where it shrinks, as the model's letterbox does."""
    if image.shape[:2] == tuple(size):
        return image
    shrink = size[0] < image.shape[0]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)


def resize_labels(labels: np.ndarray, size: Size) -> np.ndarray:
    """(H, W) -> `size`, the nearest pixel centre."""
    if labels.shape == tuple(size):
        return labels
    rows, columns = (((2 * np.arange(new) + 1) * old) // (2 * new) for new, old in zip(size, labels.shape, strict=True))
    return np.ascontiguousarray(labels[rows[:, None], columns])


def cut(array: np.ndarray, window: Window) -> np.ndarray:
    """The window's part of an (H, W, ...) array, as a view."""
    return array[window.top : window.top + window.height, window.left : window.left + window.width]


def crop_sample(sample: Sample, window: Window, size: Size) -> Sample:
    """The window's part of a sample at another size; instances may be left without a pixel (see `without_slivers`)."""
    return Sample(
        resize_image(cut(sample.image, window), size),
        resize_labels(cut(sample.semantic, window), size),
        resize_labels(cut(sample.instance, window), size),
        sample.thing,
    )


def whole(size: Size) -> Window:
    """The window of the whole image."""
    return Window(0, 0, *size)
