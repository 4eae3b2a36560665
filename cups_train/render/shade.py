"""Colours of what a view sees: textures, sun, cast shadows, haze and sky."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.render.quads import GROUND, SHINY, Quads
from cups_train.render.raster import NEAR, Buffers, Viewpoint, clip_near, in_sight
from cups_train.render.textures import TextureBank

SHADOW_CORNERS = 16
SHADOWS_TO = 70.0  # m ahead up to which shadows are drawn
LEVEL_OF_DETAIL_BIAS = 0.35  # share of the longer side of a pixel's footprint on the texture


@dataclass(frozen=True, eq=False)
class Light:
    """The weather of a scene."""

    sun: np.ndarray  # (3,) unit vector in the world, towards the sun
    sun_strength: float
    ambient: float
    haze: float  # 1/m
    shadow: float  # brightness of ground in the shade, share of that in the sun
    zenith: np.ndarray  # (3,) RGB 0..255
    horizon: np.ndarray  # (3,) RGB 0..255
    cloud_cover: float
    cloud_texture: int


@dataclass(frozen=True, eq=False)
class Shadows:
    """Convex polygons on the ground, in the world; short ones repeat their last corner."""

    cast: np.ndarray  # (N, SHADOW_CORNERS, 3) m
    contact: np.ndarray  # (M, 4, 3) m


@dataclass(frozen=True, eq=False)
class _Samples:
    """Some samples of what a view sees, all on quads."""

    buffers: Buffers
    index: np.ndarray  # (n,) flat, on the sample grid

    @property
    def number(self) -> np.ndarray:
        """Their quads, (n,) int32."""
        return self.buffers.quad.ravel()[self.index]

    @property
    def depth(self) -> np.ndarray:
        """(n,) float32 m."""
        depth: np.ndarray = 1 / np.maximum(self.buffers.inverse_depth.ravel()[self.index], 1e-6)
        return depth


@dataclass(frozen=True, eq=False)
class _OnTexture:
    s: np.ndarray  # (n,) whole textures, across
    t: np.ndarray  # (n,) whole textures, down
    level: np.ndarray  # (n,) int32, mip level


def shade(
    view: Viewpoint, buffers: Buffers, quads: Quads, light: Light, shadows: Shadows, bank: TextureBank
) -> np.ndarray:
    """The image (H, W, 3) float32 RGB 0..255; edges between quads are averaged over the sample grid with weights 1 2
    1."""
    height, width = buffers.quad.shape
    needed, edge = _samples(buffers.quad)
    index = np.nonzero(needed.ravel())[0]
    color = np.zeros((height * width, 3), np.float32)
    sky = buffers.quad.ravel()[index] < 0
    color[index[sky]] = _sky(_rays(view, index[sky]), light, bank)
    color[index[~sky]] = _surfaces(view, _Samples(buffers, index[~sky]), quads, light, shadows, bank)
    color = color.reshape(height, width, 3)
    image = np.ascontiguousarray(color[::2, ::2])
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    smooth = cv2.sepFilter2D(color, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)[::2, ::2]
    np.copyto(image, smooth, where=edge[..., None])
    return image


def _samples(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2H, 2W) samples whose colour is needed, (H, W) pixels with more than one quad in their 3 x 3 samples."""
    value = quad.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    edge = (cv2.dilate(value, kernel) != cv2.erode(value, kernel))[::2, ::2]
    needed = np.zeros(quad.shape, np.uint8)
    needed[::2, ::2] = edge
    needed = cv2.dilate(needed, kernel)
    needed[::2, ::2] = 1
    needed[-1] |= needed[-2]
    needed[:, -1] |= needed[:, -2]
    return needed, edge


def _surfaces(
    view: Viewpoint, samples: _Samples, quads: Quads, light: Light, shadows: Shadows, bank: TextureBank
) -> np.ndarray:
    """Colours (n, 3) float32 of samples on quads."""
    index, number, depth = samples.index, samples.number, samples.depth
    at = _on_texture(samples, quads.texture, bank)
    surface = bank.color(quads.texture[number], at.level, at.s, at.t)
    normals = _normals(quads)
    surface *= (quads.tint * _sunlight(normals, light)[:, None])[number]
    flags = quads.flags[number]
    ground = np.nonzero(flags & GROUND)[0]
    surface[ground] *= _in_shade(view, light, shadows, index[ground])[:, None]
    shiny = np.nonzero(flags & SHINY)[0]
    surface[shiny] += 0.16 * _reflected(_rays(view, index[shiny]), normals[number[shiny]], light, bank)
    fade = np.exp(-light.haze * depth)[:, None]
    surface -= light.horizon.astype(np.float32)
    surface *= fade
    surface += light.horizon.astype(np.float32)
    return surface


def _rays(view: Viewpoint, index: np.ndarray) -> np.ndarray:
    """Viewing directions in the world (n, 3) float32, of depth 1, of samples by flat index."""
    c = view.intrinsics
    turn = view.world_T_camera[:3, :3].astype(np.float32)
    row, column = np.divmod(index.astype(np.int32), np.int32(view.shape[1]))
    x, y = (
        (column.astype(np.float32) - np.float32(c.cx)) / np.float32(c.fx),
        (row.astype(np.float32) - np.float32(c.cy)) / np.float32(c.fy),
    )
    return np.stack([x * turn[k, 0] + y * turn[k, 1] + turn[k, 2] for k in range(3)], -1)


def _on_texture(samples: _Samples, texture: np.ndarray, bank: TextureBank) -> _OnTexture:
    """Where samples lie on the textures of their quads; texture: (N,) of every quad."""
    number, depth, buffers = samples.number, samples.depth, samples.buffers
    row, column = np.divmod(samples.index.astype(np.int32), np.int32(buffers.quad.shape[1]))
    x, y = column.astype(np.float32), row.astype(np.float32)
    table = buffers.planes.reshape(-1, 9).T.astype(np.float32).copy()
    sx, sy, s0, tx, ty, t0, zx, zy = (table[k][number] for k in range(8))
    s, t = (sx * x + sy * y + s0) * depth, (tx * x + ty * y + t0) * depth
    wide = (2 << bank.log_width[texture, 0]).astype(np.float32)[number] * depth
    high = (2 << bank.log_height[texture, 0]).astype(np.float32)[number] * depth
    along = ((sx - s * zx) * wide) ** 2 + ((tx - t * zx) * high) ** 2
    down = ((sy - s * zy) * wide) ** 2 + ((ty - t * zy) * high) ** 2
    footprint = np.maximum(np.minimum(along, down), np.maximum(along, down) * np.float32(LEVEL_OF_DETAIL_BIAS**2))
    level = np.clip(0.5 * np.log2(np.maximum(footprint, 1e-12)) + 0.3, 0, 10).astype(np.int32)
    return _OnTexture(s, t, level)


def _normals(quads: Quads) -> np.ndarray:
    """Unit vectors out of the fronts of all quads, (N, 3) float32."""
    normal = np.cross(quads.axes[:, 1], quads.axes[:, 0])
    return (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _sunlight(normals: np.ndarray, light: Light) -> np.ndarray:
    """Brightness of surfaces, (N,) float32."""
    facing = np.maximum(normals @ light.sun.astype(np.float32), 0)
    return (light.ambient + light.sun_strength * facing + 0.06 * normals[:, 2]).astype(np.float32)


def _sky(rays: np.ndarray, light: Light, bank: TextureBank) -> np.ndarray:
    """Gradient and clouds, (n, 3) float32."""
    up = np.maximum(rays[:, 2] / np.sqrt(np.einsum("ni,ni->n", rays, rays)), 0)
    horizon, zenith = light.horizon.astype(np.float32), light.zenith.astype(np.float32)
    color = horizon + (zenith - horizon) * (np.minimum(up * 1.9, 1) ** np.float32(0.7))[:, None]
    scale = np.float32(0.16) / np.maximum(up, np.float32(0.05))
    texture = np.full(len(rays), light.cloud_texture, np.int32)
    value = bank.color(texture, np.ones(len(rays), np.int32), rays[:, 0] * scale, rays[:, 1] * scale)[:, :1]
    cloud = np.clip((value - 255 * (1 - light.cloud_cover)) / 90, 0, 1) * np.clip(up * 7, 0, 1)[:, None]
    return color + cloud * (238 - color)


def _reflected(rays: np.ndarray, normals: np.ndarray, light: Light, bank: TextureBank) -> np.ndarray:
    """What shiny surfaces mirror, (n, 3) float32: the sky above, grey below."""
    mirrored = rays - 2 * np.einsum("ni,ni->n", rays, normals)[:, None] * normals
    color = np.full(rays.shape, 90, np.float32)
    upwards = np.nonzero(mirrored[:, 2] > 0)[0]
    color[upwards] = _sky(mirrored[upwards], light, bank)
    return color


def _shadow_mask(view: Viewpoint, shadows: Shadows) -> tuple[np.ndarray, np.ndarray]:
    """How much of a cast and of a contact shadow lies on the ground at every sample, (2H, 2W) uint8 each."""
    masks = []
    for polygons, soft in ((shadows.cast, (5, 5)), (shadows.contact, (9, 7))):
        canvas = np.zeros(view.shape, np.uint8)
        local = view.local(polygons)
        near = (local[..., 2].max(1) > 0.2) & (local[..., 2].min(1) < SHADOWS_TO)
        for number in np.nonzero(near & in_sight(view, local))[0]:
            polygon = local[number]
            flat = view.project(polygon if polygon[:, 2].min() > NEAR else clip_near(polygon))
            cv2.fillConvexPoly(canvas, np.round(np.clip(flat, -8000, 8000) * 8).astype(np.int32), 255, cv2.LINE_8, 3)
        masks.append(cv2.blur(canvas, soft))
    return masks[0], masks[1]


def _in_shade(view: Viewpoint, light: Light, shadows: Shadows, index: np.ndarray) -> np.ndarray:
    """Brightness factor (n,) float32 of ground samples by flat index."""
    cast, contact = (mask.ravel()[index].astype(np.float32) for mask in _shadow_mask(view, shadows))
    return (1 - cast * ((1 - light.shadow) / 255)) * (1 - contact * (0.5 / 255))


def cast_shadow(points: np.ndarray, sun: np.ndarray, height: float = 0.0) -> np.ndarray:
    """The convex shadow (SHADOW_CORNERS, 3) of points (n, 3) on the level z = height; n is at most SHADOW_CORNERS."""
    flat = points[:, :2] - sun[:2] / sun[2] * np.maximum(points[:, 2:] - height, 0)
    hull = cv2.convexHull(flat.astype(np.float32))[:, 0]
    hull = np.concatenate([hull, np.repeat(hull[-1:], SHADOW_CORNERS - len(hull), 0)])
    return np.column_stack([hull, np.full(len(hull), height)]).astype(np.float64)
