"""Which quad is seen where: a z-buffer over planar quads, on a sample grid twice as fine as the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cups_ros.depth import Pinhole
from cups_train.render.quads import CUTOUT, TWO_SIDED, Quads
from cups_train.render.textures import TextureBank
from cups_train.types import StereoCamera

NEAR = 0.15  # m
SMALL = 900  # samples of a bounding box up to which quads are drawn together


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A pinhole on the sample grid: sample (2 v, 2 u) is the centre of pixel (v, u)."""

    camera: StereoCamera
    world_T_camera: np.ndarray  # (4, 4)

    @property
    def shape(self) -> tuple[int, int]:
        return 2 * self.camera.height, 2 * self.camera.width

    @property
    def intrinsics(self) -> Pinhole:
        """Of the samples."""
        c = self.camera
        return Pinhole(2 * c.height, 2 * c.width, 2 * c.fx, 2 * c.fy, 2 * c.cx, 2 * c.cy)

    def local(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera's frame."""
        return (points - self.world_T_camera[:3, 3]) @ self.world_T_camera[:3, :3]

    def project(self, local: np.ndarray) -> np.ndarray:
        """Points in front of the camera (..., 3) to sample coordinates (..., 2) x, y."""
        c, x, y, z = self.intrinsics, *np.moveaxis(local, -1, 0)
        return np.stack([x / z * c.fx + c.cx, y / z * c.fy + c.cy], -1)


@dataclass(frozen=True, eq=False)
class Buffers:
    """What a view sees."""

    quad: np.ndarray  # (2H, 2W) int32, -1 = sky
    inverse_depth: np.ndarray  # (2H, 2W) float32 1/m, 0 = sky
    planes: np.ndarray  # (N, 3, 3) float64: rows give s/Z, t/Z, 1/Z of a quad's plane from (x, y, 1) of a sample


def in_sight(view: Viewpoint, corners: np.ndarray) -> np.ndarray:
    """False where all corners (N, k, 3) of a polygon in the camera's frame lie beyond one side of the image; (N,)
    bool."""
    c = view.intrinsics
    x, y, z = corners[..., 0] * c.fx, corners[..., 1] * c.fy, corners[..., 2]
    sides = [x < -c.cx * z, x > (c.width - 1 - c.cx) * z, y < -c.cy * z, y > (c.height - 1 - c.cy) * z]
    return np.logical_not(np.any([np.all(side, axis=1) for side in sides], axis=0))


def clip_near(polygon: np.ndarray, near: float = NEAR) -> np.ndarray:
    """A convex polygon (k, 3) in the camera's frame, cut at the near plane; (0, 3) where nothing is left."""
    kept = []
    for p, q in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        if p[2] >= near:
            kept.append(p)
        if (p[2] >= near) != (q[2] >= near):
            kept.append(p + (near - p[2]) / (q[2] - p[2]) * (q - p))
    return np.array(kept).reshape(-1, 3)


def rasterise(view: Viewpoint, quads: Quads, bank: TextureBank) -> Buffers:
    """Draw `quads` (already in the world) into empty buffers."""
    corners = view.local(quads.corners)
    planes, facing = _planes(view, quads)
    height, width = view.shape
    front: np.ndarray = corners[..., 2] > NEAR
    whole = np.all(front, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = view.project(corners)
    low, high = points.min(1), points.max(1)
    visible = facing & front.any(1) & in_sight(view, corners) & ((np.ceil(low) <= np.floor(high)).all(1) | ~whole)
    area = np.prod(np.maximum(high - low, 1), axis=1)
    small = visible & whole & (area <= SMALL)
    ids, inverse = np.full((height, width), -1, np.int32), np.zeros((height, width), np.float32)
    canvas = _Canvas(ids, inverse, planes, quads, bank)
    big = np.nonzero(visible & ~small)[0]
    big = big[np.argsort(np.where(front[big], corners[big, :, 2], NEAR).min(1), kind="stable")]
    polygons = [points[k] if whole[k] else view.project(clip_near(corners[k])) for k in big]
    for number, spans in zip(big, _spans(polygons, (height, width)), strict=True):
        canvas.draw_big(int(number), *spans)
    canvas.draw_small(np.nonzero(small)[0], points, low, high)
    return Buffers(ids, inverse, planes)


def _planes(view: Viewpoint, quads: Quads) -> tuple[np.ndarray, np.ndarray]:
    """Plane rows of all quads (N, 3, 3) and whether the camera sees their front."""
    turn = view.world_T_camera[:3, :3]
    first, second, origin = quads.axes[:, 0] @ turn, quads.axes[:, 1] @ turn, view.local(quads.origin)
    normal = np.cross(first, second)
    volume = np.sum(normal * origin, 1)
    scale = np.linalg.norm(normal, axis=1)
    two_sided = (quads.flags & TWO_SIDED) > 0
    facing = np.where(two_sided, np.abs(volume), volume) > 1e-6 * scale
    rows = np.stack([np.cross(second, origin), np.cross(origin, first), normal], 1)
    rows /= np.where(np.abs(volume) < 1e-12, 1e-12, volume)[:, None, None]
    c = view.intrinsics
    a, b = rows[..., 0] / c.fx, rows[..., 1] / c.fy
    planes = np.stack([a, b, rows[..., 2] - a * c.cx - b * c.cy], -1)
    planes[:, :2] *= quads.repeat[..., None]
    return planes, facing


@dataclass(frozen=True, eq=False)
class _Canvas:
    ids: np.ndarray
    inverse: np.ndarray
    planes: np.ndarray
    quads: Quads
    bank: TextureBank

    def draw_big(self, number: int, y0: int, left: np.ndarray, right: np.ndarray) -> None:
        """One quad by its first row and the ends of its rows (n,)."""
        if not len(left):
            return
        x0, x1 = max(0, int(np.ceil(left.min()))), min(self.ids.shape[1] - 1, int(np.floor(right.max())))
        if x1 < x0:
            return
        window = (slice(y0, y0 + len(left)), slice(x0, x1 + 1))
        x, y = np.arange(x0, x1 + 1), np.arange(y0, y0 + len(left))
        a, b, c = self.planes[number, 2]
        value = (a * x + c).astype(np.float32)[None] + (b * y).astype(np.float32)[:, None]
        mask = value > self.inverse[window]
        if not mask.any():
            return
        mask &= x >= left[:, None]
        mask &= x <= right[:, None]
        if self.quads.flags[number] & CUTOUT:
            self._cut(number, mask, x, y, value)
        np.copyto(self.inverse[window], value, where=mask)
        np.copyto(self.ids[window], number, where=mask)

    def _cut(self, number: int, mask: np.ndarray, x: np.ndarray, y: np.ndarray, value: np.ndarray) -> None:
        """Take the samples away where the texture has holes."""
        at = np.flatnonzero(mask)
        if not len(at):
            return
        row, column = np.divmod(at.astype(np.int32), np.int32(len(x)))
        xs, ys, depth = (
            (column + np.int32(x[0])).astype(np.float32),
            (row + np.int32(y[0])).astype(np.float32),
            1 / value.ravel()[at],
        )
        plane, texture = self.planes[number].astype(np.float32), int(self.quads.texture[number])
        step = (
            float(np.hypot(plane[0, 0], plane[1, 0]) * depth[len(depth) // 2]) * 2.0 ** self.bank.log_width[texture, 0]
        )
        level = min(9, max(0, int(np.log2(max(step, 1.0)))))
        s, t = (
            np.minimum((p[0] * xs + p[1] * ys + p[2]) * depth, inside)
            for p, inside in zip(plane[:2], self._last(number), strict=True)
        )
        mask[row, column] = self.bank.alpha(texture, level, s, t) >= 128

    def _last(self, number: int | np.ndarray) -> np.ndarray:
        """Largest s and t inside a quad, so that its far edges do not wrap around."""
        return self.quads.repeat[number] * (1 - 1e-5)

    def draw_small(self, numbers: np.ndarray, points: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Many small quads at once: every sample of their bounding boxes is tested."""
        limit = np.array(self.ids.shape)[::-1] - 1
        first = np.maximum(np.ceil(low[numbers]), 0).astype(np.int64)
        size = np.minimum(np.floor(high[numbers]), limit).astype(np.int64) - first + 1
        keep = (size > 0).all(1)
        numbers, first, size = numbers[keep], first[keep], size[keep]
        count = size[:, 0] * size[:, 1]
        which = np.repeat(np.arange(len(numbers)), count)
        inner = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        x, y = first[which, 0] + inner % size[which, 0], first[which, 1] + inner // size[which, 0]
        inside = _inside(points[numbers], which, x, y)
        which, x, y = which[inside], x[inside], y[inside]
        number = numbers[which]
        plane = self.planes[number, 2]
        value = (plane[:, 0] * x + plane[:, 1] * y + plane[:, 2]).astype(np.float32)
        keep = value > self.inverse[y, x]
        keep[keep] = self._solid(number[keep], x[keep], y[keep], value[keep], size[which[keep]])
        order = np.argsort(value[keep], kind="stable")
        x, y, value, number = x[keep][order], y[keep][order], value[keep][order], number[keep][order]
        self.inverse[y, x] = value
        self.ids[y, x] = number

    def _solid(
        self, number: np.ndarray, x: np.ndarray, y: np.ndarray, value: np.ndarray, size: np.ndarray
    ) -> np.ndarray:
        solid = np.ones(len(number), bool)
        at = np.nonzero(self.quads.flags[number] & CUTOUT)[0]
        if len(at):
            plane, texture = self.planes[number[at]], self.quads.texture[number[at]]
            last = self._last(number[at])
            s, t = (
                np.minimum((plane[:, k, 0] * x[at] + plane[:, k, 1] * y[at] + plane[:, k, 2]) / value[at], last[:, k])
                for k in (0, 1)
            )
            wide = 2.0 ** self.bank.log_width[texture, 0] * self.quads.repeat[number[at], 0] / size[at].max(1)
            level = np.clip(np.log2(np.maximum(wide, 1)), 0, 10).astype(np.int32)
            solid[at] = self.bank.alpha(texture, level, s, t) >= 128
        return solid


class _Spans(NamedTuple):
    """The rows of a convex polygon."""

    first: int
    left: np.ndarray  # (rows,) its ends
    right: np.ndarray  # (rows,)


def _spans(polygons: list[np.ndarray], shape: tuple[int, int]) -> list[_Spans]:
    """The rows of convex polygons (k, 2)."""
    if not polygons:
        return []
    size = max(len(p) for p in polygons)
    start = np.stack([np.concatenate([p, np.repeat(p[-1:], size - len(p), 0)]) for p in polygons])
    end = np.roll(start, -1, 1)
    y0 = np.maximum(0, np.ceil(start[..., 1].min(1))).astype(np.int64)
    count = np.maximum(0, np.minimum(shape[0] - 1, np.floor(start[..., 1].max(1))).astype(np.int64) - y0 + 1)
    which = np.repeat(np.arange(len(polygons)), count)
    stop = np.cumsum(count)
    rows = (np.arange(len(which)) - np.repeat(stop - count, count) + y0[which])[:, None]
    rise = end[..., 1] - start[..., 1]
    slope = (end[..., 0] - start[..., 0]) / np.where(rise == 0, np.inf, rise)
    low, high = np.minimum(start[..., 1], end[..., 1])[which], np.maximum(start[..., 1], end[..., 1])[which]
    crossing = start[..., 0][which] + (rows - start[..., 1][which]) * slope[which]
    met = (rows >= low) & (rows <= high) & (rise != 0)[which]
    left, right = np.where(met, crossing, np.inf).min(1), np.where(met, crossing, -np.inf).max(1)
    return [_Spans(int(y), left[e - n : e], right[e - n : e]) for y, n, e in zip(y0, count, stop, strict=True)]


def _inside(points: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether samples lie in the convex quads points[which], of either direction of turn."""
    after = np.roll(points, -1, 1)
    a, b = points[..., 1] - after[..., 1], after[..., 0] - points[..., 0]
    c = -(a * points[..., 0] + b * points[..., 1])
    turn = np.sign(np.sum(points[..., 0] * after[..., 1] - points[..., 1] * after[..., 0], 1))
    a, b, c = a * turn[:, None], b * turn[:, None], c * turn[:, None]
    inside = np.ones(len(which), bool)
    for k in range(4):
        inside &= a[which, k] * x + b[which, k] * y + c[which, k] >= -1e-9
    return inside
