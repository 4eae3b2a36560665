"""What stands still: roads, pavements, houses, trees, poles; x to the right of the main street, y along it, z up,
metres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cups_train.render.materials import StreetTextures
from cups_train.render.quads import CUTOUT, GROUND, TWO_SIDED, Paint, Quads, box, circle, join, pose, prism, quad

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
KERB = 0.12  # m


@dataclass(frozen=True)
class Layout:
    """The plan of the streets."""

    lane: float  # m, width of one of the main street's two lanes
    parking: float  # m, width of the bays beside them
    cross: float  # m, half the width of the cross streets
    pavement: float  # m
    junctions: tuple[float, ...]  # y of the cross streets' axes
    start: float  # y where the street begins
    end: float  # y where it ends before a house
    arm: float  # m, length of the cross streets' arms

    @property
    def kerb(self) -> float:
        """x of the main street's kerb."""
        return self.lane + self.parking

    @property
    def blocks(self) -> list[tuple[float, float]]:
        """y ranges of the blocks between cross streets."""
        edges = [self.start, *(y + s * self.cross for y in self.junctions for s in (-1, 1)), self.end]
        return list(zip(edges[::2], edges[1::2], strict=True))


@dataclass(eq=False)
class Street:
    """Collects the standing world."""

    layout: Layout
    t: StreetTextures
    rng: np.random.Generator
    quads: list[Quads] = field(default_factory=list)
    tall: list[np.ndarray] = field(default_factory=list)  # (n, 3) corner points of what casts a shadow

    def build(self, red_at: int = 0) -> Street:
        """Everything; `red_at`: lamp shown to the main street (0 red, 2 green)."""
        self._ground()
        self._markings()
        for low, high in self.layout.blocks:
            for side in (-1.0, 1.0):
                self._block(side, low, high)
        self._closing_houses()
        for y in self.layout.junctions:
            self._junction_furniture(y, red_at)
        return self

    def _add(self, quads: Quads, category: int) -> None:
        self.quads.append(quads.of(category))

    def _level(self, x: tuple[float, float], y: tuple[float, float], z: float, paint: Paint, category: int) -> None:
        self._add(quad([[x[0], y[1], z], [x[1], y[1], z], [x[1], y[0], z], [x[0], y[0], z]], paint), category)

    def _ground(self) -> None:
        p, far = self.layout, self.layout.arm + self.layout.kerb
        self._level((-far, far), (p.start, p.end), 0.0, Paint(self.t.asphalt, metres=8.0, flags=GROUND), ROAD)
        for low, high in p.blocks:
            for side in (-1.0, 1.0):
                x = (p.kerb, far) if side > 0 else (-far, -p.kerb)
                self._level(x, (low, high), KERB, Paint(self.t.slabs, metres=4.0, flags=GROUND), SIDEWALK)
                inner, outer = side * p.kerb, side * far
                edges = [[(inner, low), (inner, high)], [(inner, low), (outer, low)], [(inner, high), (outer, high)]]
                for (x0, y0), (x1, y1) in edges:
                    kerb = quad(
                        [[x0, y0, KERB], [x1, y1, KERB], [x1, y1, 0], [x0, y0, 0]],
                        Paint(self.t.kerb, metres=1.0, flags=TWO_SIDED),
                    )
                    self._add(kerb, SIDEWALK)

    def _markings(self) -> None:
        """Lines of the main street, parking bays, zebras, stop lines and the lines of the cross streets."""
        p, white = self.layout, Paint(self.t.paint, metres=2.0, flags=GROUND)
        lines: list[tuple[float, float, float, float]] = []  # x0, x1, y0, y1
        for low, high in p.blocks:
            lines += [(-0.07, 0.07, y, y + 3.0) for y in np.arange(low + 7, high - 7, 6.0)]
            for x0, x1 in ((-p.kerb, -p.lane), (p.lane, p.kerb)):
                self._level((x0, x1), (low + 6, high - 6), 0.003, Paint(self.t.cobbles, metres=3.0, flags=GROUND), ROAD)
                lines += [(x0, x1, y, y + 0.1) for y in np.arange(low + 6, high - 6, 5.6)]
        for y in p.junctions:
            for s in (-1.0, 1.0):
                zebra, stop = y + s * (p.cross + 2.2), y + s * (p.cross + 5.0)
                lines += [(x, x + 0.5, zebra - 1.5, zebra + 1.5) for x in np.arange(-p.kerb + 0.4, p.kerb - 0.4, 1.0)]
                lines.append(
                    (0.1, p.lane, stop - 0.2, stop + 0.2) if s < 0 else (-p.lane, -0.1, stop - 0.2, stop + 0.2)
                )
                lines += [(s * x - 1.5, s * x + 1.5, y - 0.07, y + 0.07) for x in np.arange(p.kerb + 6.5, p.arm, 6.0)]
        corners = [[(x0, y1, 0.005), (x1, y1, 0.005), (x1, y0, 0.005), (x0, y0, 0.005)] for x0, x1, y0, y1 in lines]
        self._add(quad(corners, white), ROAD)

    def _block(self, side: float, low: float, high: float) -> None:
        """Houses and gardens along the main street, then along both cross streets; trees and lamps at the kerb."""
        p, rng = self.layout, self.rng
        line = p.kerb + p.pavement
        y = low + p.pavement
        while y < high - p.pavement - 4:
            width = min(float(rng.uniform(9, 17)), high - p.pavement - y)
            if high - p.pavement - y - width < 5:
                width = high - p.pavement - y
            if rng.random() < 0.3 and low + p.pavement < y < high - p.pavement - width:
                self._garden(side, line, y, width)
            else:
                self._house((side * line, y), (side, 0.0), width)
            y += width
        for edge, direction in ((low, 1.0), (high, -1.0)):
            if edge in (p.start, p.end):
                continue
            x = line + 11.0
            while x < p.arm:
                width = float(rng.uniform(9, 16))
                self._house((side * x, edge + direction * p.pavement), (0.0, direction), width * side)
                x += width
        self._kerb_side(side, low, high)

    def _house(self, corner: tuple[float, float], inward: tuple[float, float], width: float) -> None:
        """A house whose front starts at `corner`; `inward` points away from the street (side, 0) or (0, direction)."""
        rng, t = self.rng, self.t
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
        self._add(join([walls, roof]), BUILDING)
        self._relief(np.array([a, b]), np.array(inward), height, tint)
        self.tall.append(np.concatenate([low, high]))

    def _relief(self, edge: np.ndarray, inward: np.ndarray, height: float, tint: tuple[float, ...]) -> None:
        """Cornice, awning or balconies before a front."""
        rng, t = self.rng, self.t
        length = float(np.linalg.norm(edge[1] - edge[0]))
        middle = edge.mean(0)
        yaw = float(np.arctan2(*(edge[1] - edge[0])[::-1]))
        stone = Paint(t.kerb, tint, metres=2.0)
        cornice = box((length, 0.5, 0.35), (0, 0, height - 0.4), stone).moved(pose(middle[0], middle[1], 0, yaw))
        self._add(cornice, BUILDING)
        if rng.random() < 0.4:
            out = -inward * 1.3
            (x0, y0), (x1, y1) = edge[0] + (edge[1] - edge[0]) * 0.1, edge[0] + (edge[1] - edge[0]) * 0.9
            color = tuple(float(c) for c in rng.uniform(0.3, 1.3, 3))
            awning = quad(
                [[x0, y0, 3.3], [x1, y1, 3.3], [x1 + out[0], y1 + out[1], 2.5], [x0 + out[0], y0 + out[1], 2.5]],
                Paint(t.paint, color, metres=1.5, flags=TWO_SIDED),
            )
            self._add(awning, BUILDING)
        elif rng.random() < 0.5:
            for level in np.arange(4.6, height - 3, 3.1):
                spot = middle - inward * 0.5
                self._add(
                    box((2.6, 1.1, 0.15), (0, 0, float(level)), stone).moved(pose(spot[0], spot[1], 0, yaw)), BUILDING
                )
                rail = box(
                    (2.6, 1.1, 0.9), (0, 0, float(level) + 0.15), Paint(t.railing, metres=1.0, flags=CUTOUT | TWO_SIDED)
                )
                self._add(rail.moved(pose(spot[0], spot[1], 0, yaw)), BUILDING)

    def _garden(self, side: float, line: float, y: float, width: float) -> None:
        """Grass behind a hedge, a wall or a fence, with a tree or two and a house far behind."""
        rng, t = self.rng, self.t
        x = sorted((side * line, side * (line + 12)))
        self._level((x[0], x[1]), (y, y + width), KERB + 0.03, Paint(t.grass, metres=3.0, flags=GROUND), TERRAIN)
        at = (side * (line + 0.3), y + width / 2, KERB)
        kind = int(rng.integers(3))
        if kind == 0:
            self._add(box((0.6, width - 0.4, 1.5), at, Paint(t.hedge, metres=1.5)), VEGETATION)
        elif kind == 1:
            self._add(box((0.3, width - 0.4, 1.6), at, Paint(t.bricks, metres=1.6)), WALL)
        else:
            self._railing(at[0], y, y + width)
        self._house((side * (line + 12), y), (side, 0.0), width)
        for share in (0.3, 0.75):
            self.tree(side * (line + float(rng.uniform(3, 7))), y + share * width, float(rng.uniform(0.8, 1.2)))

    def _kerb_side(self, side: float, low: float, high: float) -> None:
        rng, p = self.rng, self.layout
        x = side * (p.kerb + 0.7)
        if rng.random() < 0.5:
            edges = sorted((side * (p.kerb + 0.2), side * (p.kerb + 1.3)))
            self._level(
                (edges[0], edges[1]),
                (low + 7, high - 7),
                KERB + 0.02,
                Paint(self.t.grass, metres=3.0, flags=GROUND),
                TERRAIN,
            )
        for y, way in ((low, 1.0), (high, -1.0)):
            if rng.random() < 0.4:
                self._railing(side * (p.kerb + 0.25), *sorted((y + 5 * way, y + (5 + float(rng.uniform(5, 12))) * way)))
        for y in np.arange(low + 8 + rng.uniform(0, 4), high - 8, 11.0):
            if rng.random() < 0.75:
                self.tree(x, float(y), float(rng.uniform(0.75, 1.15)))
            if rng.random() < 0.6:
                self._lamp(x, float(y) + 5, side)
            if rng.random() < 0.3:
                self._sign(x, float(y) + 3.0, int(rng.integers(len(self.t.signs))))
            if rng.random() < 0.15:
                spot = (x, float(y) + 7)
                bin_paint = Paint(self.t.metal, (0.9, 0.6, 0.2))
                self._add(
                    prism(circle(0.25, KERB, 6, spot), circle(0.28, 1.05, 6, spot), bin_paint, Paint(self.t.metal)), 0
                )
        for y in (low + 3.5, high - 3.5):
            if rng.random() < 0.5 and low > p.start:
                self._sign(x, y, int(rng.integers(len(self.t.signs))))

    def tree(self, x: float, y: float, size: float) -> None:
        """A trunk and a crown of leafy planes."""
        rng, t = self.rng, self.t
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
        self._add(join([trunk, crown]), VEGETATION)
        self.tall.append(np.concatenate([circle(1.7 * size, z, 8, (x, y)) for z in (3.4 * size, 5.4 * size)]))

    def _railing(self, x: float, low: float, high: float) -> None:
        """A fence of upright bars along the main street."""
        bars = quad(
            [[x, low, 1.15], [x, high, 1.15], [x, high, KERB], [x, low, KERB]],
            Paint(self.t.railing, flags=CUTOUT | TWO_SIDED),
        )
        bars.repeat[:] = ((high - low) / 2.4, 1.0)
        self._add(bars, FENCE)

    def _lamp(self, x: float, y: float, side: float) -> None:
        metal = Paint(self.t.metal, metres=1.0)
        post = prism(circle(0.09, 0.0, 6, (x, y)), circle(0.06, 6.5, 6, (x, y)), metal)
        arm = box((1.6, 0.08, 0.08), (x - side * 0.8, y, 6.4), metal)
        head = box((0.7, 0.25, 0.12), (x - side * 1.6, y, 6.35), metal)
        self._add(join([post, arm, head]), POLE)

    def _sign(self, x: float, y: float, kind: int, faces: float = -1.0) -> None:
        metal = Paint(self.t.metal, metres=1.0)
        self._add(prism(circle(0.035, 0.0, 4, (x, y)), circle(0.035, 2.7, 4, (x, y)), metal), POLE)
        half, front = 0.32, y + faces * 0.05
        corners = [
            [x + faces * half, front, 2.85],
            [x - faces * half, front, 2.85],
            [x - faces * half, front, 2.21],
            [x + faces * half, front, 2.21],
        ]
        self._add(quad(corners, Paint(self.t.signs[kind], flags=CUTOUT)), SIGN)
        back = np.array(corners)[[1, 0, 3, 2]]
        self._add(quad(back, Paint(self.t.signs[kind], (0.45, 0.45, 0.45), flags=CUTOUT)), SIGN)

    def _closing_houses(self) -> None:
        p = self.layout
        for x in np.arange(-p.kerb - 12, p.kerb + 12, 12.0):
            self._house((float(x), p.end), (0.0, 1.0), 12.0)
            self._house((float(x), p.start), (0.0, -1.0), 12.0)
        for y in p.junctions:
            for side in (-1.0, 1.0):
                self._house((side * p.arm, y - p.cross - 6), (side, 0.0), 2 * p.cross + 12)

    def _junction_furniture(self, y: float, lamp: int) -> None:
        p, metal = self.layout, Paint(self.t.metal, metres=1.0)
        housing = Paint(self.t.metal, (0.25, 0.25, 0.25))
        for s in (-1.0, 1.0):
            for side in (-1.0, 1.0):
                x, at = side * (p.kerb + 0.6), y + s * (p.cross + 4.2)
                self._add(prism(circle(0.07, 0.0, 6, (x, at)), circle(0.06, 3.4, 6, (x, at)), metal), POLE)
                main = side * s < 0
                shown = Paint(self.t.lights[lamp if main else 2 - lamp])
                lights = box((0.3, 0.32, 0.9), (0, 0, 2.6), [housing, shown, housing, housing], housing)
                yaw = s * np.pi / 2 if main else (0.0 if side > 0 else np.pi)
                self._add(lights.moved(pose(x, at, 0, float(yaw))), LIGHT)
