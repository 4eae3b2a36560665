"""Cars, vans, buses, trucks and two-wheelers; x forward, y left, z up, origin on the ground under the middle."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.render.quads import CUTOUT, SHINY, TWO_SIDED, Paint, Quads, box, join, prism, quad, ring
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


def car(
    t: VehicleTextures, rng: np.random.Generator, size: tuple[float, float, float], tint: tuple[float, ...]
) -> Quads:
    """A hatchback, estate or van of size length, width, height."""
    length, width, height = size
    van = height > 1.75
    sill, shoulder, inset = 0.22, height * (0.5 if van else 0.6), 0.0 if van else width * 0.09
    paint = {
        name: Paint(getattr(t, name), tint, flags=SHINY) for name in ("body", "side", "front", "rear", "glass_side")
    }
    glass = Paint(t.glass, flags=SHINY)
    low, belt = ring(length, width, sill), ring(length, width, shoulder)
    belt[[1, 2], 0] -= 0.12
    belt[[1, 2], 2] -= 0.1 * height
    belt[[0, 3], 0] += 0.05
    body = prism(low, belt, [paint["side"], paint["front"], paint["side"], paint["rear"]], paint["body"])
    hood, back = length * (0.1 if van else 0.2), length * (0.02 if van else rng.uniform(0.03, 0.12))
    foot = ring(length - hood - back - 0.2, width * 0.97, shoulder - 0.03, ((back - hood) / 2, 0.0))
    foot[[1, 2], 2] -= 0.05 * height
    roof = ring(
        length - hood - back - (0.55 if van else 1.25),
        width - 2 * inset - 0.08,
        height,
        ((back - hood) / 2 - (0.12 if van else 0.25), 0.0),
    )
    cabin = prism(foot, roof, [paint["glass_side"], glass, paint["glass_side"], glass], paint["body"])
    radius = 0.32 if not van else 0.35
    return join([body, cabin, _wheels(t, length * 0.31, width, radius)])


def _wheels(t: VehicleTextures, reach: float, width: float, radius: float) -> Quads:
    """Four wheels with arches; `reach` is the distance of the axles from the middle."""
    made = []
    for x in (reach, -reach):
        for side in (-1.0, 1.0):
            y = side * (width / 2 + 0.012)
            for r, out, flags, texture in ((radius * 1.22, 0.0, CUTOUT, t.wheel), (radius, 0.012, CUTOUT, t.wheel)):
                corners = np.array(
                    [
                        [x - side * -r, y + side * out, 2 * radius - radius + r],
                        [x + side * -r, y + side * out, radius + r],
                        [x + side * -r, y + side * out, radius - r],
                        [x - side * -r, y + side * out, radius - r],
                    ]
                )
                corners[:, 2] = np.maximum(corners[:, 2], 0.0) if out == 0.0 else corners[:, 2]
                made.append(
                    quad(corners, Paint(texture, (0.12, 0.12, 0.12) if out == 0.0 else (1.0, 1.0, 1.0), flags=flags))
                )
            tread = box((1.5 * radius, 0.2, 1.3 * radius), (x, side * (width / 2 - 0.12), 0.0), Paint(t.dark))
            made.append(tread)
    return join(made)


def bus(t: VehicleTextures, tint: tuple[float, ...], size: tuple[float, float, float]) -> Quads:
    length, width, height = size
    side, lid = Paint(t.bus_side, tint, flags=SHINY), Paint(t.body, tint)
    faces = [side, Paint(t.bus_front, tint, flags=SHINY), side, Paint(t.bus_rear, tint)]
    shell = prism(ring(length, width, 0.3), ring(length, width * 0.97, height), faces, lid)
    return join([shell, _wheels(t, length * 0.28, width, 0.48)])


def truck(t: VehicleTextures, tint: tuple[float, ...], size: tuple[float, float, float]) -> Quads:
    length, width, height = size
    cab = length * 0.26
    front, side = Paint(t.truck_front, tint, flags=SHINY), Paint(t.side, tint, flags=SHINY)
    cabin = prism(
        ring(cab, width * 0.95, 0.4, ((length - cab) / 2, 0.0)),
        ring(cab * 0.9, width * 0.9, height * 0.82, ((length - cab) / 2, 0.0)),
        [side, front, side, Paint(t.dark)],
        Paint(t.body, tint),
    )
    load = box((length - cab - 0.3, width, height - 0.9), (-(cab + 0.3) / 2, 0.0, 0.9), Paint(t.cargo))
    chassis = box((length - 0.6, width * 0.6, 0.45), (-0.2, 0.0, 0.45), Paint(t.dark))
    return join([cabin, load, chassis, _wheels(t, length * 0.32, width, 0.48)])


def bicycle(t: VehicleTextures) -> Quads:
    """1.75 m long; a plane with holes and a bar across."""
    plane = quad(
        [[-0.9, 0, 1.05], [0.88, 0, 1.05], [0.88, 0, 0], [-0.9, 0, 0]], Paint(t.bicycle, flags=CUTOUT | TWO_SIDED)
    )
    tyres = [box((0.05, 0.05, 0.5), (x, 0, 0.1), Paint(t.dark)) for x in (-0.87, 0.85)]
    lamp = box((0.05, 0.07, 0.07), (-0.72, 0, 0.72), Paint(t.dark, (8.0, 1.0, 1.0)))
    return join([plane, *tyres, lamp, box((0.04, 0.56, 0.04), (0.4, 0, 1.02), Paint(t.dark))])


def motorcycle(t: VehicleTextures, tint: tuple[float, ...]) -> Quads:
    """2.1 m long."""
    wheels = []
    for x in (-0.7, 0.72):
        for side in (-1.0, 1.0):
            y = side * 0.07
            wheels.append(
                quad(
                    [
                        [x + side * 0.32, y, 0.64],
                        [x - side * 0.32, y, 0.64],
                        [x - side * 0.32, y, 0],
                        [x + side * 0.32, y, 0],
                    ],
                    Paint(t.wheel, flags=CUTOUT),
                )
            )
        wheels.append(box((0.5, 0.13, 0.45), (x, 0, 0.06), Paint(t.dark)))
    body = prism(ring(1.0, 0.34, 0.38), ring(1.2, 0.26, 0.85), Paint(t.body, tint, flags=SHINY), Paint(t.dark))
    return join(
        [
            *wheels,
            body,
            box((0.3, 0.3, 0.3), (0.55, 0, 0.75), Paint(t.body, tint)),
            box((0.05, 0.7, 0.05), (0.42, 0, 1.05), Paint(t.dark)),
            box((0.05, 0.2, 0.1), (-0.75, 0, 0.72), Paint(t.dark, (8.0, 1.0, 1.0))),
        ]
    )
