"""`motion.method: published`: objects as the published clustering (SF2SE3 as in CUPS) finds them, with its constants,
which are those of 640x1280, its test that compares rotations alone, its painting order and its hole filling. Faults
that only stop a program are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import label
from scipy.spatial import Delaunay, QhullError
from scipy.special import erf

from cups_train.config import MotionConfig
from cups_train.geometry.camera import pixel_grid
from cups_train.geometry.se3 import inverse
from cups_train.published.matrix_nms import matrix_nms
from cups_train.published.motion_clusters import NOWHERE, OUTLIER, Grid, Measured, Models, cluster_once, make_grid
from cups_train.types import Absence, MotionResult, MovingObject, Reason, SceneFlow, StereoCamera, StereoFrame

NEAREST = 5.5  # m
EDGE, EDGE_SIZE = 0.2, 5  # gradient of log disparity (Sobel sum), px of dilation
SIGMA = (2.0, 10.0)  # px
TRUSTED = 0.1  # least share of valid pixels of the noise estimate
MIN_VALID, MIN_PART, MIN_OBJECT = 512, 128, 64  # px
ROTATION = 0.04  # rad: what turns more than this against the background is deleted
EIGHT = np.ones((3, 3), int)


@dataclass(frozen=True, eq=False)
class Mask:
    """One connected part of one model of one run."""

    mask: np.ndarray  # (H, W) bool
    score: float
    motion: np.ndarray  # (4, 4) m, t to t+1
    static: np.ndarray  # (4, 4) m, of what its run calls the background


def published_objects(
    flow: SceneFlow, now: StereoFrame, config: MotionConfig, seeds: np.random.Generator
) -> MotionResult:
    """Objects of one frame; of the settings `runs`, `vote`, `max_depth` and `min_area` count here. `seeds` is the
    frame's generator."""
    shape = flow.disparity.shape
    pixels = _pixels(flow, now.camera, config.max_depth)
    nothing = MotionResult(now.key, now.stamp_ns, np.zeros(shape, np.uint16), None, (), None)
    if pixels.valid.sum() < MIN_VALID:
        return replace(nothing, absence=Absence(Reason.TOO_LITTLE_DEPTH, "too few valid pixels"))
    grid = make_grid(pixels, *shape)
    runs = [cluster_once(grid, seeds) for _ in range(config.runs)]
    pool = [mask for models in runs if len(models.motion) for mask in _masks(grid, pixels, models, shape)]
    static = next((models.motion[0] for models in runs if len(models.motion)), None)
    nothing = replace(nothing, ego=None if static is None else inverse(static))
    if not pool:
        return replace(nothing, absence=Absence(Reason.NOTHING_MOVES, "one rigid motion explains everything"))
    kept = _voted(pool, config.vote * config.runs)
    if not kept:
        return replace(nothing, absence=Absence(Reason.NOT_FOUND_AGAIN, "no mask is found again by enough runs"))
    kept = [
        kept[i] for i in matrix_nms(np.stack([m.mask for m in kept]), np.array([m.score for m in kept]), contained=None)
    ]
    return _painted(nothing, kept, pixels, config.min_area)


def _pixels(flow: SceneFlow, camera: StereoCamera, max_depth: float) -> Measured:
    """All pixels, row by row, with the published validity test. The end of a flow is rounded to a whole pixel, as its
    nearest look-up does."""
    u, v = pixel_grid(*flow.disparity.shape)
    x, y = np.rint(u + flow.flow[..., 0]), np.rint(v + flow.flow[..., 1])
    inside = (x >= 0) & (x <= camera.width - 1) & (y >= 0) & (y <= camera.height - 1)
    z, z_next = (
        np.where(d > 0, camera.depth_scale / np.maximum(d, 1e-6), 0) for d in (flow.disparity, flow.disparity_next)
    )
    valid = (
        flow.flow_ok
        & flow.disparity_ok
        & flow.disparity_next_ok
        & inside
        & ~depth_edges(flow.disparity)
        & ~depth_edges(flow.disparity_next)
    )
    valid &= (z >= NEAREST) & (z <= max_depth) & (z_next >= NEAREST) & (z_next <= max_depth)
    points, ends = (
        np.stack([(a - camera.cx) / camera.fx * d, (b - camera.cy) / camera.fy * d, d], -1)
        .reshape(-1, 3)
        .astype(np.float64)
        for a, b, d in ((u, v, z), (x, y, z_next))
    )
    sigma = np.array([noise(flow.flow_sigma, flow.flow_ok)] * 2 + [noise(flow.disparity_sigma, flow.disparity_ok)])
    return Measured(
        camera,
        np.stack([u, v], -1).reshape(-1, 2).astype(np.float64),
        valid.ravel(),
        points,
        ends,
        flow.flow.reshape(-1, 2).astype(np.float64),
        sigma,
    )


def depth_edges(disparity: np.ndarray) -> np.ndarray:
    """(H, W) bool: near a maximum of the gradient of log disparity (Canny without its hysteresis)."""
    smooth = cv2.GaussianBlur(np.log(disparity.astype(np.float32) + 1e-3), (5, 5), 1)
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)
    size = np.hypot(gx, gy)
    turn = np.rint(np.arctan2(gy, gx) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(size, 1)
    peak = np.zeros(size.shape, bool)
    for k, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead, behind = (
            padded[1 + s * dy : 1 + s * dy + size.shape[0], 1 + s * dx : 1 + s * dx + size.shape[1]] for s in (1, -1)
        )
        peak |= (turn == k) & (size > ahead) & (size > behind)
    return cv2.dilate((peak & (size > EDGE)).astype(np.uint8), np.ones((EDGE_SIZE, EDGE_SIZE), np.uint8)) > 0


def noise(sigma: np.ndarray, ok: np.ndarray) -> float:
    """One noise for the whole picture [px]: the spread of the two-way check (twice the variance of one way), corrected
    for its cut.

    sigma: (H, W) px; ok: (H, W) bool.
    """
    limit = SIGMA[1] * np.sqrt(2)
    error = np.sqrt(2) * sigma[ok & (np.sqrt(2) * sigma < limit)].astype(np.float64)
    if error.size < TRUSTED * sigma.size:
        return SIGMA[0]
    cut = max(float(np.sqrt((error**2).mean())), 1e-6)
    return float(np.clip(untruncated(cut, limit), np.sqrt(2) * SIGMA[0], limit) / np.sqrt(2))


def untruncated(spread: float, limit: float) -> float:
    """Standard deviation of a normal variable whose values beyond `limit` were cut off, from the `spread` of the
    rest."""
    r = np.linspace(0.1, 1, 100)
    a = limit / (np.sqrt(2) * spread)
    g = 1 - 2 / np.sqrt(np.pi) * a * r * np.exp(-((a * r) ** 2)) / erf(a * r) - r**2
    fits = r[np.abs(g) < 0.01]
    return spread / float(fits.max() if len(fits) else 0.1)


def _masks(grid: Grid, pixels: Measured, models: Models, shape: tuple[int, ...]) -> list[Mask]:
    """Full-resolution labels of one run, without what turns against the background, in connected parts."""
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    likely, seen = np.empty((len(models.motion), *shape)), np.zeros(shape, bool)
    for k, (motion, assigned) in enumerate(zip(models.motion, models.assigned, strict=True)):
        best, far = grid.spatial(assigned, rows, columns)
        error = pixels.residuals(motion[None])[0].reshape(*shape, 3)
        known = np.isfinite(error).all(-1)
        near = np.where(best > 0, -0.5 * far, NOWHERE)
        likely[k] = np.where(known, -0.5 * (np.where(known[..., None], error, 0) ** 2).sum(-1) + near, -np.inf)
        seen |= (best > 0) & (error < OUTLIER).all(-1)
    owner = np.where(seen, likely.argmax(0), 0)
    best_of = likely.max(0)
    weight = np.exp(likely - np.where(np.isfinite(best_of), best_of, 0))
    weight /= np.maximum(weight.sum(0), 1e-12)
    out = []
    for k in range(1, len(models.motion)):
        trace = np.trace(models.motion[0, :3, :3].T @ models.motion[k, :3, :3])
        if trace <= 3 and np.arccos(np.clip((trace - 1) / 2, -1, 1)) >= ROTATION:
            continue
        parts, count = label(owner == k, EIGHT)
        size = np.bincount(parts.ravel(), minlength=count + 1)
        out += [
            Mask(parts == i, float(weight[k][parts == i].mean()), models.motion[k], models.motion[0])
            for i in range(1, count + 1)
            if size[i] >= MIN_PART
        ]
    return out


def _voted(pool: list[Mask], votes: float) -> list[Mask]:
    """Masks whose pixels lie in enough masks of the pool on average, whatever object those show."""
    count = np.sum([m.mask for m in pool], 0)
    return [m for m in pool if count[m.mask].mean() >= votes - 1e-9]


def _painted(nothing: MotionResult, kept: list[Mask], pixels: Measured, min_area: float) -> MotionResult:
    """Small masks first, so that large ones lie over them; then what is too small is taken out."""
    canvas = np.zeros(nothing.instances.shape, np.int32)
    order = sorted(kept, key=lambda m: int(m.mask.sum()))
    for number, item in enumerate(order, 1):
        canvas[filled(item.mask)] = number
    instances = np.zeros_like(nothing.instances)
    objects: list[MovingObject] = []
    for number, item in enumerate(order, 1):
        mask = canvas == number
        if mask.sum() < MIN_OBJECT or surface(mask, pixels, min_area) < min_area:
            continue
        instances[mask] = len(objects) + 1
        x, y, z = (float(c) for c in np.median(pixels.points.reshape(*mask.shape, 3)[item.mask], 0))
        own = inverse(item.static) @ item.motion
        objects.append(
            MovingObject(len(objects) + 1, None, min(item.score, 1.0), int(mask.sum()), own, (x, y, z), "rigid")
        )
    absence = None if objects else Absence(Reason.TOO_SMALL, "all masks are too small")
    return replace(nothing, instances=instances, objects=tuple(objects), absence=absence)


def filled(mask: np.ndarray) -> np.ndarray:
    """Everything but the largest of the object itself and the parts of its complement. (H, W) bool -> (H, W) bool."""
    parts, count = label(~mask, EIGHT)
    size = np.bincount(parts.ravel(), minlength=count + 1)
    return np.asarray(parts != int(size.argmax()))


def surface(mask: np.ndarray, pixels: Measured, enough: float) -> float:
    """[m2] of the triangles over all pixels of the mask (H, W) bool, its convex hull included. A flat sum that is
    `enough` spares the triangles."""
    points = pixels.points.reshape(*mask.shape, 3)
    camera = pixels.camera
    flat = float((points[mask & pixels.valid.reshape(mask.shape)][:, 2] ** 2).sum()) / (camera.fx * camera.fy)
    if flat >= enough:
        return flat
    at = np.argwhere(mask)
    try:
        corners = points[mask][Delaunay(at).simplices]
    except QhullError:  # all pixels on one line
        return 0.0
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1).sum() / 2
    )
