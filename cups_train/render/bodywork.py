"""What vehicles are painted with: their textures, and the numbers of these."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.render.textures import TextureBuilder, letter, noise, rgb


@dataclass(frozen=True)
class VehicleTextures:
    """Numbers of the textures that all vehicles share."""

    body: int
    side: int
    glass_side: int
    glass: int
    front: int
    rear: int
    wheel: int
    dark: int
    bus_side: int
    bus_front: int
    bus_rear: int
    truck_front: int
    cargo: int
    bicycle: int


def vehicle_textures(bank: TextureBuilder, rng: np.random.Generator) -> VehicleTextures:
    return VehicleTextures(
        body=bank.add(_body(rng)),
        side=bank.add(_side(rng)),
        glass_side=bank.add(_glass_side()),
        glass=bank.add(_glass()),
        front=bank.add(_end(rng, False)),
        rear=bank.add(_end(rng, True)),
        wheel=bank.add(_wheel()),
        dark=bank.add(np.full((16, 16, 3), 26.0)),
        bus_side=bank.add(_bus_side(rng)),
        bus_front=bank.add(_bus_end(rng, False)),
        bus_rear=bank.add(_bus_end(rng, True)),
        truck_front=bank.add(_bus_end(rng, False, False)),
        cargo=bank.add(_cargo(rng)),
        bicycle=bank.add(_bicycle()),
    )


def _body(rng: np.random.Generator) -> np.ndarray:
    return 205 + 5 * noise(rng, (64, 64), 2, 0.6)[..., None] + np.zeros(3)


def _side(rng: np.random.Generator) -> np.ndarray:
    """256 x 64: doors, handles, sill; white where the tint shows."""
    image = _shaded(rng, (64, 256))
    for x in (88, 140, 192):
        cv2.line(image, (x, 2), (x - 4, 52), (95, 95, 95), 1, cv2.LINE_AA)
    for x in (108, 160):
        cv2.rectangle(image, (x + 16, 16), (x + 25, 18), (80, 80, 80), -1)
    cv2.line(image, (0, 22), (255, 19), (238, 238, 238), 1, cv2.LINE_AA)
    image[54:] = 42
    image[20:28, :7] = (190, 40, 35)
    image[18:26, -8:] = (235, 235, 225)
    return image


def _shaded(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    rows = np.linspace(222, 165, size[0], dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(rows + 4 * noise(rng, size, 2, 0.6)[..., None] + np.zeros(3, np.float32), np.float32)


def _glass() -> np.ndarray:
    image = np.ascontiguousarray(_pane(32, 64))
    image[:, :2] = image[:, -2:] = image[:2] = 36
    return image


def _glass_side() -> np.ndarray:
    """128 x 32: three panes between pillars of body colour."""
    image = np.full((32, 128, 3), 200, np.float32)
    for start, end in ((6, 38), (43, 82), (87, 122)):
        image[4:30, start:end] = _pane(26, end - start)
    return image


def _pane(height: int, width: int) -> np.ndarray:
    """Dark glass with a soft bright stripe and seats behind."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    value = 84 - 40 * y / height + 22 * np.exp(-(((x + 0.6 * y - 0.55 * width) / (0.12 * width)) ** 2))
    value[int(height * 0.55) :, int(width * 0.2) : int(width * 0.36)] -= 14
    value[int(height * 0.55) :, int(width * 0.62) : int(width * 0.78)] -= 14
    return value[..., None] * rgb([0.86, 0.97, 1.08])


def _end(rng: np.random.Generator, rear: bool) -> np.ndarray:
    """128 x 64: lamps, plate, grille or lid."""
    image = _shaded(rng, (64, 128))
    lamp = (200, 28, 24) if rear else (242, 242, 232)
    for x in (5, 101):
        cv2.rectangle(image, (x, 10), (x + 21, 24), lamp, -1)
        cv2.rectangle(image, (x, 10), (x + 21, 24), (70, 70, 70), 1)
    if rear:
        cv2.line(image, (30, 6), (97, 6), (110, 110, 110), 1)
    else:
        cv2.rectangle(image, (34, 12), (93, 25), (40, 40, 40), -1)
        for y in (15, 19, 23):
            cv2.line(image, (36, y), (91, y), (105, 105, 105), 1)
    image[44:] = 48
    cv2.rectangle(image, (46, 30), (81, 39), (232, 232, 226), -1)
    for x in range(50, 79, 5):
        cv2.line(image, (x, 32), (x + int(rng.integers(-1, 3)), 37), (30, 30, 40), 2)
    return image


def _wheel() -> np.ndarray:
    image = np.zeros((64, 64, 4), np.float32)
    cv2.circle(image, (32, 32), 31, (24, 24, 24, 255), -1)
    cv2.circle(image, (32, 32), 21, (158, 160, 163, 255), -1)
    for k in range(5):
        a = k * 2 * np.pi / 5 + 0.3
        cv2.ellipse(
            image,
            (int(32 + 13 * np.cos(a)), int(32 + 13 * np.sin(a))),
            (5, 4),
            np.degrees(a),
            0,
            360,
            (45, 45, 47, 255),
            -1,
        )
    cv2.circle(image, (32, 32), 4, (105, 105, 108, 255), -1)
    return image


def _bus_side(rng: np.random.Generator) -> np.ndarray:
    image = _shaded(rng, (64, 256))
    for x in range(6, 246, 31):
        image[12:34, x : x + 27] = _pane(22, 27)
    image[40:44] *= 0.55
    for x in (100, 216):
        cv2.rectangle(image, (x, 12), (x + 20, 58), (60, 66, 72), -1)
        cv2.line(image, (x + 10, 12), (x + 10, 58), (150, 150, 150), 1)
    image[60:] = 36
    return image


def _bus_end(rng: np.random.Generator, rear: bool, line: bool = True) -> np.ndarray:
    image = _shaded(rng, (128, 128))
    image[26 : 52 if rear else 67, 8:120] = _pane(26 if rear else 41, 112)
    cv2.rectangle(image, (22, 6), (105, 19), (30, 30, 30), -1)
    if line:
        letter(image, f"{int(rng.integers(2, 99))} MITTE", (28, 17), (0.4, 1), (250, 190, 60))
    for x in (8, 96):
        cv2.rectangle(image, (x, 90), (x + 23, 100), (200, 30, 26) if rear else (240, 240, 230), -1)
    image[108:] = 44
    cv2.rectangle(image, (48, 96), (80, 103), (230, 230, 225), -1)
    return image


def _cargo(rng: np.random.Generator) -> np.ndarray:
    image = 205 + 6 * noise(rng, (128, 256), 4, 0.8)[..., None] + np.zeros(3, np.float32)
    image = np.ascontiguousarray(image, np.float32)
    image[:, ::32] *= 0.8
    letter(image, "NORD", (40, 84), (2.4, 7), (50, 80, 150))
    image[:5] = image[-6:] = 110
    return image


def _bicycle() -> np.ndarray:
    """128 x 64: two wheels, frame, bars; x forward to the right."""
    image = np.zeros((64, 128, 4), np.float32)
    dark, frame = (22, 22, 22, 255), (150, 60, 50, 255)
    for x in (25, 102):
        cv2.circle(image, (x, 39), 23, dark, 4, cv2.LINE_AA)
        cv2.circle(image, (x, 39), 3, dark, -1)
        for a in np.linspace(0, np.pi, 5)[:-1]:
            p = (int(22 * np.cos(a)), int(22 * np.sin(a)))
            cv2.line(image, (x - p[0], 39 - p[1]), (x + p[0], 39 + p[1]), (70, 70, 70, 255), 1)
    hub, saddle, head, front = (58, 42), (46, 8), (90, 10), (102, 39)
    for p, q in ((hub, saddle), (hub, head), (saddle, head), ((25, 39), hub), ((25, 39), saddle), (head, front)):
        cv2.line(image, p, q, frame, 4, cv2.LINE_AA)
    cv2.line(image, (38, 6), (54, 6), dark, 4)
    cv2.line(image, head, (92, 2), dark, 4)
    image[..., 3] = np.where(image[..., 3] > 90, 255, 0)
    return image
