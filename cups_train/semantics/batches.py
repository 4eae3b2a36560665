"""Batches of views for the two phases of training; batch `step` depends on (seed, step) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_train.semantics.clusters import Scaler
from cups_train.semantics.prepared import Prepared, load
from cups_train.semantics.views import LEFT, NEXT, RIGHT, UNKNOWN, View, carry, matches, random_view, sample_cells

POINTS = 128  # correspondences of a pair of views
OTHERS = (0.5, 0.2, 0.3)  # share of left, right and next images among the views with classes


@dataclass(frozen=True, eq=False)
class Link:
    """The same points in two views of a batch."""

    first: int  # view
    second: int  # view
    here: np.ndarray  # (n, 2) cells as (x, y) in the first view
    there: np.ndarray  # (n, 2) in the second, with fractions


@dataclass(frozen=True, eq=False)
class TaughtView:
    """A view and what is known of its cells."""

    view: View
    shape: np.ndarray  # (SHAPE, h/4, w/4) float32 standardised, NaN = unknown
    moving: np.ndarray  # (h/4, w/4) int64: 1 in moving objects, 0 elsewhere, UNKNOWN
    classes: np.ndarray  # (h/4, w/4) int64 pseudo classes 0..K-1, UNKNOWN


@dataclass(frozen=True, eq=False)
class Batch:
    """B views and what is known of their cells."""

    images: np.ndarray  # (B, 3, h, w) float32 RGB 0..1
    rows: np.ndarray  # (B, 1, h, w) float32
    shape: np.ndarray  # (B, SHAPE, h/4, w/4)
    moving: np.ndarray  # (B, h/4, w/4)
    classes: np.ndarray  # (B, h/4, w/4)
    links: tuple[Link, ...]


def pair_batch(paths: Sequence[Path], count: int, scaler: Scaler, seed: int, step: int) -> Batch:
    """`count` views, two of each frame: one of the left image, one of the right or the next image."""
    rng = np.random.default_rng([seed, 1, step])
    views: list[TaughtView] = []
    links: list[Link] = []
    for path in _draw(paths, max(1, count // 2), rng):
        frame = load(path)
        other = NEXT if rng.random() < 0.6 and frame.shifts_ok[NEXT - 1].any() else RIGHT
        a, b = random_view(frame.images[LEFT], rng), random_view(frame.images[other], rng)
        here, there = matches(frame, other, a, b, POINTS, rng)
        links.append(Link(len(views), len(views) + 1, here, there))
        views += [_taught(frame, LEFT, a, None, scaler), _taught(frame, other, b, None, scaler)]
    return _batch(views, tuple(links))


def class_batch(
    paths: Sequence[Path], count: int, scaler: Scaler, classes_of: Callable[[Path], np.ndarray], seed: int, step: int
) -> Batch:
    """`count` views with the pseudo classes (h/4, w/4), 0..K-1, that their frame's left image has; other images get
    them along stereo and flow."""
    rng = np.random.default_rng([seed, 2, step])
    views: list[TaughtView] = []
    for path in _draw(paths, count, rng):
        frame, classes = load(path), classes_of(path)
        image = int(rng.choice(3, p=OTHERS))
        if image != LEFT and not frame.shifts_ok[image - 1].any():
            image = LEFT
        if image != LEFT:
            classes = carry(classes, frame.shifts[image - 1], frame.shifts_ok[image - 1], frame.disparity)
        views.append(_taught(frame, image, random_view(frame.images[image], rng), classes, scaler))
    return _batch(views, ())


def ahead(make: Callable[[int], Batch], steps: range) -> Iterator[tuple[int, Batch]]:
    """Batches in order; the next one is made while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make, steps[0]) if len(steps) else None
        for step in steps:
            assert waiting is not None
            batch = waiting.result()
            waiting = pool.submit(make, step + 1) if step + 1 < steps.stop else None
            yield step, batch


def _draw(paths: Sequence[Path], count: int, rng: np.random.Generator) -> list[Path]:
    return [paths[i] for i in rng.integers(0, len(paths), count)]


def _taught(frame: Prepared, image: int, view: View, classes: np.ndarray | None, scaler: Scaler) -> TaughtView:
    """Shape and motion are known on the left image; classes: (h/4, w/4) on the image itself."""
    planes = (frame.shape.astype(np.float32) - scaler.mean[:, None, None]) * scaler.scale[:, None, None]
    moving = frame.moving.astype(np.int64)
    if image != LEFT:
        planes, moving = np.full_like(planes, np.nan), np.full_like(moving, UNKNOWN)
    classes = np.full_like(moving, UNKNOWN) if classes is None else classes
    return TaughtView(
        view,
        sample_cells(planes, view, np.nan),
        sample_cells(moving, view, UNKNOWN),
        sample_cells(classes, view, UNKNOWN),
    )


def _batch(views: list[TaughtView], links: tuple[Link, ...]) -> Batch:
    images = np.stack([taught.view.image.transpose(2, 0, 1) for taught in views])
    rows = np.stack([taught.view.rows[None] for taught in views])
    shape, moving, classes = (
        np.stack([getattr(taught, name) for taught in views]) for name in ("shape", "moving", "classes")
    )
    return Batch(np.ascontiguousarray(images), rows, shape, moving, classes, links)
