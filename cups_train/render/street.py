"""Streets of a plan: roads with their markings, and blocks of houses with what stands at their kerbs."""

from __future__ import annotations

import numpy as np

from cups_train.render.furniture import lamp, railing, sign, traffic_lights, tree
from cups_train.render.houses import garden, house
from cups_train.render.materials import StreetTextures
from cups_train.render.quads import GROUND, TWO_SIDED, Paint, circle, prism, quad
from cups_train.render.standing import (
    KERB,
    ROAD,
    SIDEWALK,
    TERRAIN,
    Layout,
    Standing,
)

Rectangle = tuple[float, float, float, float]  # x0, x1, y0, y1 [m]


def build_street(layout: Layout, textures: StreetTextures, rng: np.random.Generator, red_at: int) -> Standing:
    """The whole standing world; `red_at`: lamp shown to the main street (0 red, 2 green)."""
    street = Standing(layout, textures, rng)
    _ground(street)
    _markings(street)
    for low, high in street.layout.blocks:
        for side in (-1.0, 1.0):
            _block(street, side, low, high)
    _closing_houses(street)
    for y in street.layout.junctions:
        traffic_lights(street, y, red_at)
    return street


def _ground(street: Standing) -> None:
    p, far = street.layout, street.layout.arm + street.layout.kerb
    street.level((-far, far), (p.start, p.end), 0.0, Paint(street.t.asphalt, metres=8.0, flags=GROUND), ROAD)
    for low, high in p.blocks:
        for side in (-1.0, 1.0):
            x = (p.kerb, far) if side > 0 else (-far, -p.kerb)
            street.level(x, (low, high), KERB, Paint(street.t.slabs, metres=4.0, flags=GROUND), SIDEWALK)
            inner, outer = side * p.kerb, side * far
            edges = [[(inner, low), (inner, high)], [(inner, low), (outer, low)], [(inner, high), (outer, high)]]
            for (x0, y0), (x1, y1) in edges:
                kerb = quad(
                    [[x0, y0, KERB], [x1, y1, KERB], [x1, y1, 0], [x0, y0, 0]],
                    Paint(street.t.kerb, metres=1.0, flags=TWO_SIDED),
                )
                street.add(kerb, SIDEWALK)


def _markings(street: Standing) -> None:
    """Lines of the main street, parking bays, zebras, stop lines and the lines of the cross streets."""
    p, white = street.layout, Paint(street.t.paint, metres=2.0, flags=GROUND)
    lines: list[Rectangle] = []
    for low, high in p.blocks:
        lines += [(-0.07, 0.07, y, y + 3.0) for y in np.arange(low + 7, high - 7, 6.0)]
        for x0, x1 in ((-p.kerb, -p.lane), (p.lane, p.kerb)):
            street.level((x0, x1), (low + 6, high - 6), 0.003, Paint(street.t.cobbles, metres=3.0, flags=GROUND), ROAD)
            lines += [(x0, x1, y, y + 0.1) for y in np.arange(low + 6, high - 6, 5.6)]
    for y in p.junctions:
        for s in (-1.0, 1.0):
            zebra, stop = y + s * (p.cross + 2.2), y + s * (p.cross + 5.0)
            lines += [(x, x + 0.5, zebra - 1.5, zebra + 1.5) for x in np.arange(-p.kerb + 0.4, p.kerb - 0.4, 1.0)]
            lines.append((0.1, p.lane, stop - 0.2, stop + 0.2) if s < 0 else (-p.lane, -0.1, stop - 0.2, stop + 0.2))
            lines += [(s * x - 1.5, s * x + 1.5, y - 0.07, y + 0.07) for x in np.arange(p.kerb + 6.5, p.arm, 6.0)]
    corners = [[(x0, y1, 0.005), (x1, y1, 0.005), (x1, y0, 0.005), (x0, y0, 0.005)] for x0, x1, y0, y1 in lines]
    street.add(quad(corners, white), ROAD)


def _block(street: Standing, side: float, low: float, high: float) -> None:
    """Houses and gardens along the main street, then along both cross streets; trees and lamps at the kerb."""
    p, rng = street.layout, street.rng
    line = p.kerb + p.pavement
    y = low + p.pavement
    while y < high - p.pavement - 4:
        width = min(float(rng.uniform(9, 17)), high - p.pavement - y)
        if high - p.pavement - y - width < 5:
            width = high - p.pavement - y
        if rng.random() < 0.3 and low + p.pavement < y < high - p.pavement - width:
            garden(street, side, line, y, width)
        else:
            house(street, (side * line, y), (side, 0.0), width)
        y += width
    for edge, direction in ((low, 1.0), (high, -1.0)):
        if edge in (p.start, p.end):
            continue
        x = line + 11.0
        while x < p.arm:
            width = float(rng.uniform(9, 16))
            house(street, (side * x, edge + direction * p.pavement), (0.0, direction), width * side)
            x += width
    _kerb_side(street, side, low, high)


def _kerb_side(street: Standing, side: float, low: float, high: float) -> None:
    rng, p = street.rng, street.layout
    x = side * (p.kerb + 0.7)
    if rng.random() < 0.5:
        edges = sorted((side * (p.kerb + 0.2), side * (p.kerb + 1.3)))
        street.level(
            (edges[0], edges[1]),
            (low + 7, high - 7),
            KERB + 0.02,
            Paint(street.t.grass, metres=3.0, flags=GROUND),
            TERRAIN,
        )
    for y, way in ((low, 1.0), (high, -1.0)):
        if rng.random() < 0.4:
            railing(street, side * (p.kerb + 0.25), *sorted((y + 5 * way, y + (5 + float(rng.uniform(5, 12))) * way)))
    for y in np.arange(low + 8 + rng.uniform(0, 4), high - 8, 11.0):
        if rng.random() < 0.75:
            tree(street, x, float(y), float(rng.uniform(0.75, 1.15)))
        if rng.random() < 0.6:
            lamp(street, x, float(y) + 5, side)
        if rng.random() < 0.3:
            sign(street, x, float(y) + 3.0, int(rng.integers(len(street.t.signs))))
        if rng.random() < 0.15:
            spot = (x, float(y) + 7)
            bin_paint = Paint(street.t.metal, (0.9, 0.6, 0.2))
            street.add(
                prism(circle(0.25, KERB, 6, spot), circle(0.28, 1.05, 6, spot), bin_paint, Paint(street.t.metal)), 0
            )
    for y in (low + 3.5, high - 3.5):
        if rng.random() < 0.5 and low > p.start:
            sign(street, x, y, int(rng.integers(len(street.t.signs))))


def _closing_houses(street: Standing) -> None:
    p = street.layout
    for x in np.arange(-p.kerb - 12, p.kerb + 12, 12.0):
        house(street, (float(x), p.end), (0.0, 1.0), 12.0)
        house(street, (float(x), p.start), (0.0, -1.0), 12.0)
    for y in p.junctions:
        for side in (-1.0, 1.0):
            house(street, (side * p.arm, y - p.cross - 6), (side, 0.0), 2 * p.cross + 12)
