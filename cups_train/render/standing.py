"""What stands still: the plan of the streets, and where its pieces are collected; x to the right of the main street,
y along it, z up, metres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cups_train.render.materials import StreetTextures
from cups_train.render.quads import Paint, Quads, quad

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
class Standing:
    """Collects the standing world."""

    layout: Layout
    t: StreetTextures
    rng: np.random.Generator
    quads: list[Quads] = field(default_factory=list)
    tall: list[np.ndarray] = field(default_factory=list)  # (n, 3) corner points of what casts a shadow

    def add(self, quads: Quads, category: int) -> None:
        """One more piece, of one category."""
        self.quads.append(quads.of(category))

    def level(self, x: tuple[float, float], y: tuple[float, float], z: float, paint: Paint, category: int) -> None:
        """A level rectangle."""
        self.add(quad([[x[0], y[1], z], [x[1], y[1], z], [x[1], y[0], z], [x[0], y[0], z]], paint), category)
