"""Cars, vans, buses, trucks and two-wheelers; x forward, y left, z up, origin on the ground under the middle."""

from __future__ import annotations

import numpy as np

from cups_train.render.bodywork import VehicleTextures
from cups_train.render.quads import CUTOUT, SHINY, TWO_SIDED, Paint, Quads, Vector, box, join, prism, quad, ring


def car(t: VehicleTextures, rng: np.random.Generator, size: Vector, tint: tuple[float, ...]) -> Quads:
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


def bus(t: VehicleTextures, tint: tuple[float, ...], size: Vector) -> Quads:
    length, width, height = size
    side, lid = Paint(t.bus_side, tint, flags=SHINY), Paint(t.body, tint)
    faces = [side, Paint(t.bus_front, tint, flags=SHINY), side, Paint(t.bus_rear, tint)]
    shell = prism(ring(length, width, 0.3), ring(length, width * 0.97, height), faces, lid)
    return join([shell, _wheels(t, length * 0.28, width, 0.48)])


def truck(t: VehicleTextures, tint: tuple[float, ...], size: Vector) -> Quads:
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
