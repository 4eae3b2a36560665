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

Link = tuple[int, int, np.ndarray, np.ndarray]  # view, view, cells (n, 2) as (x, y) in the one, the same points in the other


@dataclass(frozen=True, eq=False)
class Batch:
    """B views. Pairs (i, j) of views are linked by points."""

    images: np.ndarray  # (B, 3, h, w) float32
    rows: np.ndarray  # (B, 1, h, w) float32
    shape: np.ndarray  # (B, 8, h/4, w/4) float32 standardised, NaN = unknown
    classes: np.ndarray  # (B, h/4, w/4) int64, UNKNOWN = no target
    links: tuple[Link, ...]


def pair_batch(paths: Sequence[Path], count: int, scaler: Scaler, seed: int, step: int) -> Batch:
    """`count` views, two of each frame: one of the left image, one of the right or the next image."""
    rng = np.random.default_rng([seed, 1, step])
    views: list[View] = []
    shapes: list[np.ndarray] = []
    links: list[Link] = []
    for path in _draw(paths, max(1, count // 2), rng):
        frame = load(path)
        other = NEXT if rng.random() < 0.6 and frame.shifts_ok[NEXT - 1].any() else RIGHT
        a, b = random_view(frame.images[LEFT], rng), random_view(frame.images[other], rng)
        here, there = matches(frame, other, a, b, POINTS, rng)
        target = _shape_target(frame, a, scaler)
        links.append((len(views), len(views) + 1, here, there))
        views += [a, b]
        shapes += [target, np.full_like(target, np.nan)]
    return _batch(views, shapes, [np.full(s.shape[1:], UNKNOWN, np.int64) for s in shapes], tuple(links))


def class_batch(paths: Sequence[Path], count: int, scaler: Scaler, classes_of: Callable[[Path], np.ndarray], seed: int, step: int) -> Batch:
    """`count` views with the pseudo classes (0..K-1) that their frame's left image has; other images get them along stereo and flow."""
    rng = np.random.default_rng([seed, 2, step])
    views: list[View] = []
    shapes: list[np.ndarray] = []
    classes: list[np.ndarray] = []
    for path in _draw(paths, count, rng):
        frame, known = load(path), classes_of(path)
        image = int(rng.choice(3, p=OTHERS))
        if image != LEFT:
            if not frame.shifts_ok[image - 1].any():
                image = LEFT
            else:
                known = carry(known, frame.shifts[image - 1], frame.shifts_ok[image - 1], frame.disparity)
        view = random_view(frame.images[image], rng)
        target = _shape_target(frame, view, scaler)
        views.append(view)
        shapes.append(target if image == LEFT else np.full_like(target, np.nan))
        classes.append(sample_cells(known, view, UNKNOWN))
    return _batch(views, shapes, classes, ())


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


def _shape_target(frame: Prepared, view: View, scaler: Scaler) -> np.ndarray:
    planes = (frame.shape.astype(np.float32) - scaler.mean[:, None, None]) * scaler.scale[:, None, None]
    return sample_cells(planes, view, np.nan)


def _batch(views: list[View], shapes: list[np.ndarray], classes: list[np.ndarray], links: tuple[Link, ...]) -> Batch:
    images = np.stack([view.image.transpose(2, 0, 1) for view in views])
    return Batch(np.ascontiguousarray(images), np.stack([view.rows[None] for view in views]), np.stack(shapes), np.stack(classes), links)
