"""Random views of a frame with what is known about them: the affine map to the working image, targets,
correspondences."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.semantics.channels import CELL
from cups_train.semantics.prepared import Prepared

LEFT, RIGHT, NEXT = 0, 1, 2  # of Prepared.images
SCALES = (0.75, 1.7)  # of a view against the working image
ROW_JITTER = 0.08
UNKNOWN = -1  # class of a cell without target


@dataclass(frozen=True, eq=False)
class View:
    """A crop, scaled, perhaps mirrored, with changed colours."""

    image: np.ndarray  # (h, w, 3) float32 RGB 0..1
    rows: np.ndarray  # (h, w) float32, row of the working image, -1..1 (jittered)
    affine: np.ndarray  # (2, 3) float64: pixel of the view -> pixel of the working image

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Working pixel (u, v) at the centre of every cell of the view: two (h/4, w/4) arrays."""
        height, width = self.rows.shape
        v, u = np.mgrid[: height // CELL, : width // CELL] * CELL + (CELL - 1) / 2
        a = self.affine
        return a[0, 0] * u + a[0, 2], a[1, 1] * v + a[1, 2]

    def inverse(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Working pixels, arrays (N,) or of any shape -> pixels of the view."""
        a = self.affine
        return (u - a[0, 2]) / a[0, 0], (v - a[1, 2]) / a[1, 1]


def random_view(image: np.ndarray, rng: np.random.Generator) -> View:
    """image: (h, w, 3) uint8 working image -> a view of 3/4 of its height and at most 4/3 as wide as high."""
    height, width = image.shape[:2]
    rows, columns = view_size(height, width)
    step = 1 / np.exp(rng.uniform(*np.log(SCALES)))
    mirrored = rng.random() < 0.5
    u0 = rng.uniform(0, max(width - columns * step, 0)) + (step - 1) / 2
    v0 = rng.uniform(0, max(height - rows * step, 0)) + (step - 1) / 2
    affine = np.array([[step, 0, u0], [0, step, v0]])
    if mirrored:
        affine[0] = -step, 0, u0 + (columns - 1) * step
    cut = cv2.warpAffine(
        image, affine, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
    )
    row = (affine[1, 1] * np.arange(rows) + affine[1, 2]) / (height - 1) * 2 - 1 + rng.uniform(-ROW_JITTER, ROW_JITTER)
    return View(
        _recolour(cut.astype(np.float32) / 255, rng), np.repeat(row[:, None].astype(np.float32), columns, 1), affine
    )


def view_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of views, multiples of 32."""
    rows = max(32, height * 3 // 4 // 32 * 32)
    return rows, min(width, max(32, rows * 4 // 3 // 32 * 32))


def _recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation, colour balance, at times blur and noise."""
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.05, 3)).astype(np.float32)
    mean = float(image.mean())
    image = (image - mean) * np.float32(np.exp(rng.normal(0, 0.15))) + mean
    grey = image.mean(-1, keepdims=True)
    image = (grey + (image - grey) * np.float32(np.exp(rng.normal(0, 0.25)))) * gain.astype(np.float32)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        image = image + rng.normal(0, 0.02, image.shape).astype(np.float32)
    return np.clip(image, 0, 1).astype(np.float32)


def sample_cells(planes: np.ndarray, view: View, unknown: float) -> np.ndarray:
    """Nearest cells of (..., h/4, w/4) under the cells of a view; `unknown` beyond the border."""
    u, v = view.cells()
    x, y = np.floor((u + 0.5) / CELL).astype(int), np.floor((v + 0.5) / CELL).astype(int)
    height, width = planes.shape[-2:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    picked = planes[..., np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.where(inside, picked, np.asarray(unknown, planes.dtype))


def carry(classes: np.ndarray, shift: np.ndarray, ok: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """Classes of the left image's cells on the cells of another image; the nearest surface wins, cells that nothing
    reaches are UNKNOWN.

    classes: (h, w) integer; shift: (2, h, w) px; ok: (h, w) bool; disparity: (h, w) px.
    """
    height, width = classes.shape
    v, u = np.nonzero(ok)
    x = np.floor(u + 0.5 + shift[0][ok].astype(np.float32) / CELL).astype(int)
    y = np.floor(v + 0.5 + shift[1][ok].astype(np.float32) / CELL).astype(int)
    order = np.argsort(disparity[ok], kind="stable")
    order = order[(x[order] >= 0) & (x[order] < width) & (y[order] >= 0) & (y[order] < height)]
    carried = np.full(classes.shape, UNKNOWN, np.int64)
    carried[y[order], x[order]] = classes[ok][order]
    return carried


def matches(
    frame: Prepared, other: int, a: View, b: View, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` pairs of the same point in view `a` of the left image and view `b` of image `other`.

    -> cells (n, 2) as (x, y) in `a`, and (n, 2) with fractions in `b`.
    """
    u, v = a.cells()
    shift, ok = frame.shifts[other - 1].astype(np.float32), frame.shifts_ok[other - 1]
    du, dv = sample_cells(shift, a, 0)
    x, y = b.inverse(u + du, v + dv)
    height, width = b.rows.shape
    good = sample_cells(ok, a, False) & (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    rows, columns = np.nonzero(good)
    chosen = rng.permutation(len(rows))[:count]
    here = np.stack([columns[chosen], rows[chosen]], -1)
    there = (np.stack([x[good][chosen], y[good][chosen]], -1) - (CELL - 1) / 2) / CELL
    return here, there
