"""Houses and gardens along the streets."""

from __future__ import annotations

import numpy as np

from cups_train.render.furniture import railing, tree
from cups_train.render.quads import CUTOUT, GROUND, TWO_SIDED, Paint, box, join, pose, prism, quad
from cups_train.render.standing import (
    BUILDING,
    KERB,
    TERRAIN,
    VEGETATION,
    WALL,
    Standing,
)


def house(street: Standing, corner: tuple[float, float], inward: tuple[float, float], width: float) -> None:
    """A house whose front starts at `corner`; `inward` points away from the street (side, 0) or (0, direction)."""
    rng, t = street.rng, street.t
    height, depth = float(rng.uniform(8, 16)), 11.0
    along = (0.0, abs(width)) if inward[0] else (width, 0.0)
    a, b = np.array(corner), np.array(corner) + along
    back = np.array(inward) * depth
    outline = [a, b, b + back, a + back]
    area = sum(p[0] * q[1] - p[1] * q[0] for p, q in zip(outline, outline[1:] + outline[:1], strict=True))
    ring_xy = np.array(outline if area > 0 else [b, a, a + back, b + back])
    low, high = (np.column_stack([ring_xy, np.full(4, z)]) for z in (0.0, height))
    tint = tuple(float(c) for c in rng.uniform(0.85, 1.12) * rng.uniform(0.94, 1.06, 3))
    front = Paint(int(rng.choice(t.fronts)), tint)
    gable = Paint(int(rng.choice(t.fronts)), tint)
    walls = prism(low, high, [front, gable, Paint(t.plaster, tint, metres=4.0), gable])
    eaves = ring_xy + (ring_xy.mean(0) - ring_xy) * -0.05
    top = ring_xy + (ring_xy.mean(0) - ring_xy) * 0.45
    ridge = np.column_stack([top, np.full(4, height + rng.uniform(2, 4))])
    roof = prism(np.column_stack([eaves, np.full(4, height)]), ridge, Paint(t.roof, tint, metres=3.0))
    street.add(join([walls, roof]), BUILDING)
    _relief(street, np.array([a, b]), np.array(inward), height, tint)
    street.tall.append(np.concatenate([low, high]))


def _relief(street: Standing, edge: np.ndarray, inward: np.ndarray, height: float, tint: tuple[float, ...]) -> None:
    """Cornice, awning or balconies before a front."""
    rng, t = street.rng, street.t
    length = float(np.linalg.norm(edge[1] - edge[0]))
    middle = edge.mean(0)
    yaw = float(np.arctan2(*(edge[1] - edge[0])[::-1]))
    stone = Paint(t.kerb, tint, metres=2.0)
    cornice = box((length, 0.5, 0.35), (0, 0, height - 0.4), stone).moved(pose(middle[0], middle[1], 0, yaw))
    street.add(cornice, BUILDING)
    if rng.random() < 0.4:
        out = -inward * 1.3
        (x0, y0), (x1, y1) = edge[0] + (edge[1] - edge[0]) * 0.1, edge[0] + (edge[1] - edge[0]) * 0.9
        color = tuple(float(c) for c in rng.uniform(0.3, 1.3, 3))
        awning = quad(
            [[x0, y0, 3.3], [x1, y1, 3.3], [x1 + out[0], y1 + out[1], 2.5], [x0 + out[0], y0 + out[1], 2.5]],
            Paint(t.paint, color, metres=1.5, flags=TWO_SIDED),
        )
        street.add(awning, BUILDING)
    elif rng.random() < 0.5:
        for level in np.arange(4.6, height - 3, 3.1):
            spot = middle - inward * 0.5
            street.add(
                box((2.6, 1.1, 0.15), (0, 0, float(level)), stone).moved(pose(spot[0], spot[1], 0, yaw)), BUILDING
            )
            rail = box(
                (2.6, 1.1, 0.9), (0, 0, float(level) + 0.15), Paint(t.railing, metres=1.0, flags=CUTOUT | TWO_SIDED)
            )
            street.add(rail.moved(pose(spot[0], spot[1], 0, yaw)), BUILDING)


def garden(street: Standing, side: float, line: float, y: float, width: float) -> None:
    """Grass behind a hedge, a wall or a fence, with a tree or two and a house far behind."""
    rng, t = street.rng, street.t
    x = sorted((side * line, side * (line + 12)))
    street.level((x[0], x[1]), (y, y + width), KERB + 0.03, Paint(t.grass, metres=3.0, flags=GROUND), TERRAIN)
    at = (side * (line + 0.3), y + width / 2, KERB)
    kind = int(rng.integers(3))
    if kind == 0:
        street.add(box((0.6, width - 0.4, 1.5), at, Paint(t.hedge, metres=1.5)), VEGETATION)
    elif kind == 1:
        street.add(box((0.3, width - 0.4, 1.6), at, Paint(t.bricks, metres=1.6)), WALL)
    else:
        railing(street, at[0], y, y + width)
    house(street, (side * (line + 12), y), (side, 0.0), width)
    for share in (0.3, 0.75):
        tree(street, side * (line + float(rng.uniform(3, 7))), y + share * width, float(rng.uniform(0.8, 1.2)))
