"""Fronts of houses, signs and lamps as textures."""

from __future__ import annotations

import cv2
import numpy as np

from cups_ros.types import Box
from cups_train.render.textures import bricks, letter, noise, rgb

SIZE = 512  # px, side of a front
FRONT_HEIGHT = 14.0  # m, what one front texture stands for
WORDS = (
    "CAFE",
    "HOTEL",
    "MARKT",
    "RADIO",
    "BAKER",
    "KIOSK",
    "OPTIK",
    "BANK",
    "BOOKS",
    "PIZZA",
    "SALON",
    "FLORA",
    "DEPOT",
    "TAXI",
)


def front(rng: np.random.Generator) -> np.ndarray:
    """One house front (512, 512, 3): four storeys, the lowest with shops or flats."""
    image = _wall(rng)
    storeys = int(rng.integers(4, 6))
    columns = int(rng.integers(3, 7))
    ground = int(SIZE * 3.6 / FRONT_HEIGHT)
    step_y, step_x = (SIZE - ground - 16) / (storeys - 1), SIZE / columns
    frame = tuple(float(c) for c in rng.choice([[225, 222, 214], [70, 62, 55], [150, 120, 90], [60, 80, 70]]))
    size = (int(step_x * rng.uniform(0.38, 0.62)), int(step_y * rng.uniform(0.5, 0.66)))
    shutters, bars = rng.random() < 0.3, int(rng.integers(1, 3))
    for storey in range(storeys - 1):
        top = int(16 + storey * step_y + 0.5 * (step_y - size[1]))
        if rng.random() < 0.6:
            _band(image, int(16 + (storey + 1) * step_y) - 3, 4)
        for column in range(columns):
            left = int((column + 0.5) * step_x - size[0] / 2)
            _window(image, rng, (left, top, *size), frame, bars)
            if shutters:
                _shutters(image, (left, top, *size), frame)
    _ground_floor(image, rng, SIZE - ground, columns)
    image[:14] = image[:14] * 0.6 + 60
    image[14:20] *= 0.55
    image *= (1 + 0.05 * noise(rng, (SIZE, SIZE), 2, 0.6))[..., None]
    image *= np.linspace(1.05, 0.85, SIZE, dtype=np.float32)[:, None, None]
    return image


def _wall(rng: np.random.Generator) -> np.ndarray:
    colors = [
        (196, 178, 140),
        (178, 122, 96),
        (205, 200, 188),
        (150, 158, 150),
        (192, 158, 112),
        (168, 150, 160),
        (142, 128, 118),
        (205, 186, 132),
    ]
    color = rgb(colors[int(rng.integers(len(colors)))]) * rng.uniform(0.85, 1.05)
    if rng.random() < 0.35:
        tone = [(150, 74, 56), (138, 88, 66), (120, 70, 60)][int(rng.integers(3))]
        return np.ascontiguousarray(np.tile(bricks(rng, tone, 32, 256), (2, 2, 1)), np.float32)
    image = (
        color
        + (5 * noise(rng, (SIZE, SIZE), 4, 0.8) + 4 * rng.standard_normal((SIZE, SIZE)).astype(np.float32))[..., None]
    )
    stain = np.maximum(noise(rng, (SIZE, SIZE), 2, 0.7) - 0.9, 0)[..., None]
    return np.ascontiguousarray(image - 22 * stain, np.float32)


def _band(image: np.ndarray, y: int, thick: int) -> None:
    image[y : y + thick] = image[y : y + thick] * 0.5 + 105
    image[y + thick : y + thick + 2] *= 0.62


def _window(image: np.ndarray, rng: np.random.Generator, at: Box, frame: tuple[float, ...], bars: int) -> None:
    x, y, w, h = at
    image[y - 5 : y, x - 4 : x + w + 4] = image[y - 5 : y, x - 4 : x + w + 4] * 0.4 + 110
    image[y : y + h, x : x + w] = frame
    pane = np.linspace(rng.uniform(70, 130), rng.uniform(28, 50), h - 6, dtype=np.float32)[:, None, None] * rgb(
        [0.88, 0.98, 1.06]
    )
    image[y + 3 : y + h - 3, x + 3 : x + w - 3] = pane
    if rng.random() < 0.55:
        drawn, tone = int(rng.integers(2, max(3, w // 3))), rng.uniform(130, 215)
        image[y + 3 : y + h - 3, x + 3 : x + 3 + drawn] = (tone, tone * 0.96, tone * 0.88)
        image[y + 3 : y + h - 3, x + w - 3 - drawn : x + w - 3] = (tone, tone * 0.96, tone * 0.88)
    elif rng.random() < 0.4:
        image[y + 3 : y + 3 + int(h * rng.uniform(0.2, 0.6)), x + 3 : x + w - 3] = (186, 182, 170)
    for bar in range(1, bars + 1):
        middle = x + bar * w // (bars + 1)
        image[y : y + h, middle - 1 : middle + 2] = frame
    image[y + h // 3 : y + h // 3 + 3, x : x + w] = frame
    image[y : y + 3, x : x + w] *= 0.5
    image[y + h : y + h + 5, x - 4 : x + w + 4] = 196
    image[y + h + 5 : y + h + 9, x - 2 : x + w + 2] *= 0.62


def _shutters(image: np.ndarray, at: Box, frame: tuple[float, ...]) -> None:
    x, y, w, h = at
    wide = max(5, w // 3)
    for left in (x - wide - 1, x + w + 1):
        if 0 <= left and left + wide < SIZE:
            image[y : y + h, left : left + wide] = rgb(frame) * 0.7
            image[y : y + h : 4, left : left + wide] *= 0.7


def _ground_floor(image: np.ndarray, rng: np.random.Generator, top: int, columns: int) -> None:
    image[top : top + 5] = image[top : top + 5] * 0.4 + 115
    image[top + 5 : top + 8] *= 0.6
    shop = rng.random() < 0.6
    if rng.random() < 0.5 or shop:
        image[top + 8 :] = image[top + 8 :] * 0.55 + rgb(rng.uniform(30, 95, 3))
        image[top + 8 :: 14] *= 0.85
    door = int(rng.integers(columns))
    step = SIZE / columns
    for column in range(columns):
        left, wide = int(column * step + 0.14 * step), int(step * 0.72)
        if column == door:
            _door(image, rng, left, top, wide)
        elif shop:
            _display(image, rng, (left, top + 44, wide, SIZE - top - 66))
        else:
            _window(image, rng, (left + wide // 5, top + 36, wide * 3 // 5, 58), (215, 212, 205), 1)
    if shop:
        _name(image, rng, top + 12)
    image[-14:] = image[-14:] * 0.5 + 35


def _door(image: np.ndarray, rng: np.random.Generator, left: int, top: int, wide: int) -> None:
    half = min(wide, 60) // 2
    middle = left + wide // 2
    color = rgb(rng.choice([[92, 58, 40], [52, 70, 60], [66, 66, 74], [120, 40, 36]]))
    image[top + 40 :, middle - half - 4 : middle + half + 4] = 188
    image[top + 44 :, middle - half : middle + half] = color
    image[top + 46 : top + 58, middle - half + 3 : middle + half - 3] = (70, 80, 88)
    for y in (top + 62, top + 92):
        cv2.rectangle(
            image, (middle - half + 5, y), (middle + half - 5, y + 24), tuple(float(c) for c in color * 0.7), 1
        )
    image[-7:, middle - half - 8 : middle + half + 8] = 150


def _display(image: np.ndarray, rng: np.random.Generator, at: Box) -> None:
    x, y, w, h = at
    image[y - 3 : y + h + 3, x - 3 : x + w + 3] = (58, 54, 50)
    image[y : y + h, x : x + w] = np.linspace(100, 62, h, dtype=np.float32)[:, None, None] * rgb([0.95, 1.0, 1.03])
    for _ in range(int(rng.integers(4, 10))):
        px, py = x + int(rng.integers(2, max(3, w - 12))), y + int(rng.integers(h // 3, max(h // 3 + 1, h - 14)))
        image[py : min(py + int(rng.integers(6, 22)), y + h), px : min(px + int(rng.integers(5, 18)), x + w)] = (
            rng.uniform(40, 225, 3)
        )
    cv2.line(image, (x + 5, y + h - 4), (x + min(w - 2, 30), y + 3), (136, 144, 150), 2, cv2.LINE_AA)


def _name(image: np.ndarray, rng: np.random.Generator, top: int) -> None:
    color = rgb(rng.uniform(20, 190, 3))
    image[top : top + 26, 10:-10] = color
    ink = (245, 240, 228) if color.mean() < 125 else (30, 28, 34)
    for x in range(24, SIZE - 90, int(rng.integers(130, 220))):
        letter(image, str(rng.choice(WORDS)), (x, top + 21), (0.8, 2), ink)


def signs() -> list[np.ndarray]:
    """Traffic signs (64, 64, 4) of Continental looks: limit, no entry, priority, warning, parking."""
    made = []
    for kind in ("30", "entry", "priority", "warning", "P"):
        image = np.zeros((64, 64, 4), np.float32)
        red, white, dark = (200, 30, 34, 255), (238, 238, 234, 255), (25, 25, 28, 255)
        if kind in ("30", "entry"):
            cv2.circle(image, (32, 32), 31, red, -1)
            if kind == "30":
                cv2.circle(image, (32, 32), 23, white, -1)
                letter(image, "30", (13, 42), (0.95, 2), dark)
            else:
                cv2.rectangle(image, (12, 26), (51, 37), white, -1)
        elif kind == "P":
            cv2.rectangle(image, (3, 3), (60, 60), (30, 80, 180, 255), -1)
            letter(image, "P", (16, 50), (1.7, 4), white)
        else:
            outer = (
                np.array([[32, 0], [63, 32], [32, 63], [0, 32]])
                if kind == "priority"
                else np.array([[32, 3], [62, 58], [2, 58]])
            )
            inner = (outer - outer.mean(0)) * 0.68 + outer.mean(0)
            cv2.fillPoly(image, [outer.astype(np.int32)], white if kind == "priority" else red)
            cv2.fillPoly(image, [inner.astype(np.int32)], (240, 190, 30, 255) if kind == "priority" else white)
        image[..., 3] = np.where(image[..., 3] > 0, 255, 0)
        made.append(image)
    return made


def traffic_light(lit: int) -> np.ndarray:
    """(64, 32, 3); lit: 0 red, 1 yellow, 2 green."""
    image = np.full((64, 32, 3), 26, np.float32)
    for k, color in enumerate(((255, 50, 40), (255, 190, 40), (40, 240, 130))):
        shown = color if k == lit else tuple(c * 0.22 for c in color)
        cv2.circle(image, (16, 12 + 20 * k), 8, shown, -1)
    return image
