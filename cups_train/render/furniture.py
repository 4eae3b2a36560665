"""What stands at the kerb: trees, fences, lamps, signs, bins and traffic lights."""

from __future__ import annotations

import numpy as np

from cups_train.render.quads import CUTOUT, TWO_SIDED, Paint, box, circle, join, pose, prism, quad
from cups_train.render.standing import (
    FENCE,
    KERB,
    LIGHT,
    POLE,
    SIGN,
    VEGETATION,
    Standing,
)


def tree(street: Standing, x: float, y: float, size: float) -> None:
    """A trunk and a crown of leafy planes."""
    rng, t = street.rng, street.t
    trunk = prism(
        circle(0.17 * size, 0.0, 6, (x, y)), circle(0.1 * size, 3.6 * size, 6, (x, y)), Paint(t.bark, metres=1.0)
    )
    count = 16
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre = np.array([x, y, 4.4 * size]) + direction * np.array([1.25, 1.25, 1.1]) * size * rng.uniform(
        0.3, 1.0, (count, 1)
    )
    normal = direction + rng.normal(0, 0.5, (count, 3))
    across = np.cross(normal, (0, 0, 1.0))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(across, normal)
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    half = rng.uniform(0.75, 1.25, (count, 1)) * size
    across, up = across * half, up * half
    crown = quad(
        np.stack([centre - across + up, centre + across + up, centre + across - up, centre - across - up], 1),
        Paint(int(rng.choice(t.leaves)), flags=CUTOUT | TWO_SIDED),
    )
    crown.tint[:] = (0.8 + 0.3 * direction[:, 2] + rng.uniform(-0.08, 0.08, count))[:, None]
    street.add(join([trunk, crown]), VEGETATION)
    street.tall.append(np.concatenate([circle(1.7 * size, z, 8, (x, y)) for z in (3.4 * size, 5.4 * size)]))


def railing(street: Standing, x: float, low: float, high: float) -> None:
    """A fence of upright bars along the main street."""
    bars = quad(
        [[x, low, 1.15], [x, high, 1.15], [x, high, KERB], [x, low, KERB]],
        Paint(street.t.railing, flags=CUTOUT | TWO_SIDED),
    )
    bars.repeat[:] = ((high - low) / 2.4, 1.0)
    street.add(bars, FENCE)


def lamp(street: Standing, x: float, y: float, side: float) -> None:
    metal = Paint(street.t.metal, metres=1.0)
    post = prism(circle(0.09, 0.0, 6, (x, y)), circle(0.06, 6.5, 6, (x, y)), metal)
    arm = box((1.6, 0.08, 0.08), (x - side * 0.8, y, 6.4), metal)
    head = box((0.7, 0.25, 0.12), (x - side * 1.6, y, 6.35), metal)
    street.add(join([post, arm, head]), POLE)


def sign(street: Standing, x: float, y: float, kind: int, faces: float = -1.0) -> None:
    metal = Paint(street.t.metal, metres=1.0)
    street.add(prism(circle(0.035, 0.0, 4, (x, y)), circle(0.035, 2.7, 4, (x, y)), metal), POLE)
    half, front = 0.32, y + faces * 0.05
    corners = [
        [x + faces * half, front, 2.85],
        [x - faces * half, front, 2.85],
        [x - faces * half, front, 2.21],
        [x + faces * half, front, 2.21],
    ]
    street.add(quad(corners, Paint(street.t.signs[kind], flags=CUTOUT)), SIGN)
    back = np.array(corners)[[1, 0, 3, 2]]
    street.add(quad(back, Paint(street.t.signs[kind], (0.45, 0.45, 0.45), flags=CUTOUT)), SIGN)


def traffic_lights(street: Standing, y: float, lamp: int) -> None:
    p, metal = street.layout, Paint(street.t.metal, metres=1.0)
    housing = Paint(street.t.metal, (0.25, 0.25, 0.25))
    for s in (-1.0, 1.0):
        for side in (-1.0, 1.0):
            x, at = side * (p.kerb + 0.6), y + s * (p.cross + 4.2)
            street.add(prism(circle(0.07, 0.0, 6, (x, at)), circle(0.06, 3.4, 6, (x, at)), metal), POLE)
            main = side * s < 0
            shown = Paint(street.t.lights[lamp if main else 2 - lamp])
            lights = box((0.3, 0.32, 0.9), (0, 0, 2.6), [housing, shown, housing, housing], housing)
            yaw = s * np.pi / 2 if main else (0.0 if side > 0 else np.pi)
            street.add(lights.moved(pose(x, at, 0, float(yaw))), LIGHT)
