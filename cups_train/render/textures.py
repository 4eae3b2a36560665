"""Textures: a bank with mip levels in one flat array, and procedural materials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LEVELS = 11
Rgb = tuple[float, float, float]  # 0 to 255, or a factor on it


@dataclass(frozen=True, eq=False)
class TextureBank:
    """All textures, every mip level, in one array: texel (x, y) of texture k at level l is data[offset[k, l] + (y <<
    log_width[k, l]) + x]."""

    data: np.ndarray  # (texels,) uint32, bytes R, G, B, alpha
    offset: np.ndarray  # (K, LEVELS) int32
    log_width: np.ndarray  # (K, LEVELS) int32
    log_height: np.ndarray  # (K, LEVELS) int32

    def index(self, texture: np.ndarray | int, level: np.ndarray | int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Flat index (n,) of texels x, y (n,), whole numbers, wrapped around."""
        log_width = self.log_width[texture, level]
        return (
            self.offset[texture, level]
            + ((y & ((1 << self.log_height[texture, level]) - 1)) << log_width)
            + (x & ((1 << log_width) - 1))
        )

    def alpha(self, texture: np.ndarray | int, level: np.ndarray | int, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Alpha (n,) uint8 of the nearest texel; s and t (n,) count whole textures."""
        x = np.floor(s * (1 << self.log_width[texture, level])).astype(np.int32)
        y = np.floor(t * (1 << self.log_height[texture, level])).astype(np.int32)
        return (self.data[self.index(texture, level, x, y)] >> 24).astype(np.uint8)

    def color(self, texture: np.ndarray, level: np.ndarray, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Bilinear colour, (n, 3) float32 0..255."""
        log_width, log_height, offset = (
            self.log_width[texture, level],
            self.log_height[texture, level],
            self.offset[texture, level],
        )
        x, y = s * (1 << log_width) - 0.5, t * (1 << log_height) - 0.5
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
        xi, yi, wide, high = x0.astype(np.int32), y0.astype(np.int32), (1 << log_width) - 1, (1 << log_height) - 1
        left, right = xi & wide, (xi + 1) & wide
        upper, lower = offset + ((yi & high) << log_width), offset + (((yi + 1) & high) << log_width)
        top = self._rgb(upper + left)
        top += fx * (self._rgb(upper + right) - top)
        bottom = self._rgb(lower + left)
        bottom += fx * (self._rgb(lower + right) - bottom)
        top += fy * (bottom - top)
        return top

    def _rgb(self, index: np.ndarray) -> np.ndarray:
        return self.data[index].view(np.uint8).reshape(-1, 4)[:, :3].astype(np.float32)


class TextureBuilder:
    """Collects textures; sides are powers of two."""

    def __init__(self) -> None:
        self._images: list[np.ndarray] = []

    def add(self, image: np.ndarray) -> int:
        """(H, W, 3 or 4) 0..255 RGB(A) -> number of the texture."""
        pixels = np.clip(image, 0, 255).astype(np.uint8)
        if pixels.shape[2] == 3:
            pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        self._images.append(pixels)
        return len(self._images) - 1

    def build(self) -> TextureBank:
        shape = (len(self._images), LEVELS)
        offset, log_width, log_height = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        data, used = [], 0
        for k, image in enumerate(self._images):
            for level in range(LEVELS):
                if level and max(image.shape[:2]) > 1:
                    image = cv2.resize(
                        image, (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2)), interpolation=cv2.INTER_AREA
                    )
                    data.append(image.reshape(-1, 4).copy().view(np.uint32).ravel())
                elif not level:
                    data.append(image.reshape(-1, 4).copy().view(np.uint32).ravel())
                else:
                    used -= 1  # the last texel serves all further levels
                    data.append(np.empty(0, np.uint32))
                offset[k, level] = used
                log_width[k, level], log_height[k, level] = (
                    image.shape[1].bit_length() - 1,
                    image.shape[0].bit_length() - 1,
                )
                used += image.shape[0] * image.shape[1]
        return TextureBank(np.concatenate(data), offset, log_width, log_height)


def rgb(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """A colour to calculate with, (3,) float32."""
    return np.asarray(values, np.float32)


def noise(rng: np.random.Generator, size: tuple[int, int], coarsest: int = 4, roughness: float = 0.6) -> np.ndarray:
    """Tileable fractal noise (H, W) float32 of mean 0 and deviation 1; `coarsest` cells along the height at first, then
    twice as many."""
    height, width = size
    total = rng.standard_normal((coarsest, max(1, coarsest * width // height))).astype(np.float32)
    weight = 1.0
    while total.shape[0] < height:
        padded = np.pad(total, 2, mode="wrap")
        columns = (
            min(2 * total.shape[1], width) if total.shape[1] * height <= total.shape[0] * width else total.shape[1]
        )
        wide = cv2.resize(
            padded, (padded.shape[1] * columns // total.shape[1], 2 * padded.shape[0]), interpolation=cv2.INTER_CUBIC
        )
        margin = 2 * columns // total.shape[1]
        weight *= roughness
        total = wide[4:-4, margin : margin + columns] + weight * rng.standard_normal(
            (2 * total.shape[0], columns)
        ).astype(np.float32)
    return (total - total.mean()) / (total.std() + 1e-6)


def plain(
    rng: np.random.Generator,
    color: Rgb,
    size: int = 64,
    spread: float = 8.0,
    roughness: float = 0.75,
) -> np.ndarray:
    """A colour with noise, (S, S, 3) with S = `size`."""
    return rgb(color) + spread * noise(rng, (size, size), 4, roughness)[..., None]


def asphalt(rng: np.random.Generator) -> np.ndarray:
    """(1024, 1024, 3) float32 for 8 m."""
    size = 1024
    value = 92 + 7 * noise(rng, (size, size), 2, 0.75) + 9 * rng.standard_normal((size, size)).astype(np.float32)
    value += 26 * (rng.random((size, size)) > 0.985) - 22 * (rng.random((size, size)) > 0.985)
    value = np.ascontiguousarray(cv2.GaussianBlur(value, (0, 0), 0.7), np.float32)
    for _ in range(5):
        x, y, w, h = (
            rng.integers(0, size - 200),
            rng.integers(0, size - 260),
            rng.integers(60, 200),
            rng.integers(60, 260),
        )
        value[y : y + h, x : x + w] += rng.uniform(-14, 10)
    for _ in range(14):
        steps = np.cumsum(rng.normal(0, 9, (14, 2)), 0) + rng.uniform(100, size - 100, 2)
        cv2.polylines(
            value, [steps.astype(np.int32)], False, float(rng.uniform(50, 66)), int(rng.integers(1, 3)), cv2.LINE_AA
        )
    return value[..., None] * rgb([1.0, 1.0, 1.03])


def bricks(rng: np.random.Generator, color: Rgb, rows: int = 16, size: int = 256) -> np.ndarray:
    """A bond of `rows` courses (S, S, 3) with S = `size`, tileable; rows is a power of two."""
    image = np.full((size, size, 3), 0.0, np.float32) + rgb([150, 145, 138]) * 0.8
    height, width = size // rows, 2 * size // rows
    for row in range(rows):
        for column in range(-1, rows // 2 + 1):
            x = column * width + (row % 2) * width // 2
            tone = rgb(color) * rng.uniform(0.78, 1.18)
            image[row * height + 1 : (row + 1) * height, max(0, x + 1) : max(0, x + width)] = tone
    return image + 6 * noise(rng, (size, size), 8, 0.8)[..., None]


def slabs(rng: np.random.Generator, color: Rgb, count: int = 8, size: int = 512) -> np.ndarray:
    """Square paving (S, S, 3) with S = `size`, tileable."""
    image = np.empty((size, size, 3), np.float32)
    step = size // count
    for i in range(count):
        for j in range(count):
            image[i * step : (i + 1) * step, j * step : (j + 1) * step] = rgb(color) * rng.uniform(0.9, 1.1)
            image[i * step : i * step + 2, j * step : (j + 1) * step] *= 0.72
            image[i * step : (i + 1) * step, j * step : j * step + 2] *= 0.72
    return (
        image
        + (7 * noise(rng, (size, size), 4, 0.85) + 6 * rng.standard_normal((size, size)).astype(np.float32))[..., None]
    )


def leaves(
    rng: np.random.Generator,
    hue: Rgb,
    size: int = 128,
    count: int = 700,
    round_alpha: bool = True,
) -> np.ndarray:
    """Foliage (S, S, 4) with S = `size`: single leaves with holes between them."""
    image = np.zeros((size, size, 4), np.float32)
    image[..., :3] = rgb(hue) * 0.45
    for _ in range(count):
        radius, angle = (size * 0.47) * rng.random() ** 0.5, rng.uniform(0, 2 * np.pi)
        centre = (
            (size / 2 + radius * np.cos(angle), size / 2 + radius * np.sin(angle))
            if round_alpha
            else tuple(rng.uniform(0, size, 2))
        )
        shade = rng.uniform(0.5, 1.35) * (1.12 - 0.3 * centre[1] / size)
        color = tuple(float(c) for c in rgb(hue) * shade * rng.uniform(0.88, 1.12, 3))
        axes = (int(rng.integers(2, 5)), int(rng.integers(1, 4)))
        cv2.ellipse(
            image, (int(centre[0]), int(centre[1])), axes, float(rng.uniform(0, 180)), 0, 360, (*color, 255.0), -1
        )
    if not round_alpha:
        image[..., 3] = 255
    return image


def grass(rng: np.random.Generator) -> np.ndarray:
    """(256, 256, 3) float32."""
    size = 256
    value = noise(rng, (size, size), 4, 0.9) + 0.8 * rng.standard_normal((size, size)).astype(np.float32)
    return rgb([80, 98, 54]) + value[..., None] * rgb([13, 15, 9])


def clouds(rng: np.random.Generator) -> np.ndarray:
    """Greys (256, 256, 3), tileable; alpha is not used."""
    value = 128 + 60 * noise(rng, (256, 256), 2, 0.55)
    return np.repeat(value[..., None], 3, 2)


def railing(rng: np.random.Generator) -> np.ndarray:
    """A fence with upright bars, (64, 128, 4), holes between."""
    image = np.zeros((64, 128, 4), np.float32)
    image[..., :3] = rng.uniform(40, 110)
    for y in (4, 56):
        image[y : y + 4, :, 3] = 255
    for x in range(2, 128, 10):
        image[:, x : x + 4, 3] = 255
        image[:, x, :3] *= 1.4
    return image


def worn_paint(rng: np.random.Generator) -> np.ndarray:
    """Greys (128, 128, 3)."""
    value = 205 - 16 * np.abs(noise(rng, (128, 128), 4, 0.8)) - 60 * (noise(rng, (128, 128), 8, 0.9) > 1.9)
    return np.repeat(value[..., None], 3, 2)


def letter(image: np.ndarray, text: str, at: tuple[int, int], size: tuple[float, int], color: tuple[int, ...]) -> None:
    """Write on a float texture (H, W, 3 or 4) in place; `size` is OpenCV's font scale and stroke width, `at` the left
    end of the base line."""
    ink = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(ink, text, at, cv2.FONT_HERSHEY_DUPLEX, size[0], 255, size[1], cv2.LINE_AA)
    share = ink[..., None].astype(np.float32) / 255
    image += share * (rgb(color) - image)
