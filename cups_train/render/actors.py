"""Things: parked and driving vehicles, people, riders; their quads, their parts and the pose of each part at every time
step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cups_train.render.bodywork import VehicleTextures
from cups_train.render.people import PARTS, person, random_clothes, riding, walking
from cups_train.render.quads import Quads, Vector, join, pose
from cups_train.render.vehicles import bicycle, bus, car, motorcycle, truck

TRAIN_ID = {"person": 11, "rider": 12, "car": 13, "truck": 14, "bus": 15, "motorcycle": 17, "bicycle": 18}
COLORS = (
    (1.05, 1.05, 1.06),
    (0.2, 0.2, 0.22),
    (0.55, 0.57, 0.6),
    (0.72, 0.16, 0.14),
    (0.16, 0.24, 0.48),
    (0.16, 0.32, 0.22),
    (0.4, 0.52, 0.66),
    (0.62, 0.5, 0.35),
    (0.32, 0.33, 0.35),
    (0.85, 0.86, 0.85),
)  # of cars
STANDING = 0.1  # m/s up to which a thing counts as standing
STEP_S = 0.1


@dataclass(frozen=True, eq=False)
class Actor:
    """One thing of the truth."""

    true_id: int
    name: str
    size: Vector  # length, width, height, m
    base: np.ndarray  # (F, 4, 4) world_T_object; F = frames + 1
    parts: np.ndarray  # (F, P, 4, 4) world_T_part
    quads: Quads  # part counts from 0 within the actor

    @property
    def speed(self) -> np.ndarray:
        """m/s from t to t+1, (F - 1,)."""
        return np.linalg.norm(np.diff(self.base[:, :3, 3], axis=0), axis=1) / STEP_S


@dataclass(frozen=True, eq=False)
class Track:
    """Where something is at every time step."""

    xy: np.ndarray  # (F, 2) m
    yaw: np.ndarray  # (F,) rad
    z: float = 0.0


@dataclass(eq=False)
class Cast:
    """Collects actors that never run into each other."""

    textures: VehicleTextures
    cloth: int
    rng: np.random.Generator
    actors: list[Actor] = field(default_factory=list)
    taken: list[tuple[np.ndarray, float]] = field(default_factory=list)  # discs (F, n, 2) and their radius

    def reserve(self, track: Track, length: float, width: float, margin: float = 0.15) -> bool:
        """Take the room of something moving; False, and nothing taken, where another is in the way at any time."""
        discs = _discs(track, length, width)
        radius = width / 2 + margin
        for other, size in self.taken:
            if np.any(np.linalg.norm(discs[:, :, None] - other[:, None], axis=-1) < radius + size):
                return False
        self.taken.append((discs, radius))
        return True

    def vehicle(self, kind: str, track: Track) -> bool:
        """Put a car, van, bus or truck on a track; False where there is no room."""
        rng = self.rng
        size, build = self._vehicle(kind)
        if not self.reserve(track, size[0], size[1]):
            return False
        name = "car" if kind == "van" else kind
        self._add(name, size, track, build(rng))
        return True

    def _vehicle(self, kind: str) -> tuple[Vector, Callable[[np.random.Generator], Quads]]:
        rng, t = self.rng, self.textures
        tint = COLORS[int(rng.integers(len(COLORS)))]
        if kind == "bus":
            size = (11.5, 2.5, 3.0)
            return size, lambda _: bus(
                t, [(1.0, 0.75, 0.15), (0.85, 0.16, 0.14), (0.3, 0.5, 0.8)][int(rng.integers(3))], size
            )
        if kind == "truck":
            size = (float(rng.uniform(7, 9)), 2.4, float(rng.uniform(3.0, 3.5)))
            return size, lambda _: truck(t, tint, size)
        if kind == "van":
            size = (float(rng.uniform(4.7, 5.2)), 1.92, float(rng.uniform(1.85, 2.1)))
        else:
            size = (float(rng.uniform(3.9, 4.8)), float(rng.uniform(1.7, 1.85)), float(rng.uniform(1.42, 1.62)))
        return size, lambda r: car(t, r, size, tint)

    def person(self, track: Track, stride: float = 0.45) -> bool:
        """Someone on foot; legs move as fast as the track does."""
        height = float(self.rng.uniform(1.58, 1.88))
        if not self.reserve(track, 0.4, 0.4, 0.05):
            return False
        parts = person(random_clothes(self.rng, self.cloth, self.cloth), height)
        phase = self.rng.uniform(0, 6.3) + _travelled(track) * (np.pi / (0.43 * height))
        swing = stride if np.ptp(phase) > 0 else 0.06
        local = np.stack([walking(height, float(p), swing) for p in phase])
        self._add("person", (0.5, 0.55, height), track, _numbered(parts), local)
        return True

    def cyclist(self, track: Track, motor: bool = False) -> bool:
        """A rider and the two-wheeler: two things with one pose."""
        if not self.reserve(track, 1.8, 0.6, 0.0):
            return False
        height = float(self.rng.uniform(1.6, 1.85))
        tint = tuple(float(c) for c in self.rng.uniform(0.1, 0.9, 3))
        machine = motorcycle(self.textures, tint) if motor else bicycle(self.textures)
        name, size = ("motorcycle", (2.1, 0.7, 1.1)) if motor else ("bicycle", (1.75, 0.56, 1.05))
        phase = np.zeros(len(track.yaw)) if motor else self.rng.uniform(0, 6.3) + _travelled(track) * 1.15
        local = np.stack([riding(height, float(p), 0.82 if motor else 0.95) for p in phase])
        rider = person(random_clothes(self.rng, self.cloth, self.cloth), height, 0.16)
        self._add("rider", (1.0, 0.55, 0.8 + 0.55 * height), track, _numbered(rider), local)
        self._add(name, size, track, machine)
        return True

    def _add(self, name: str, size: Vector, track: Track, quads: Quads, local: np.ndarray | None = None) -> None:
        base = np.stack(
            [pose(float(p[0]), float(p[1]), track.z, float(a)) for p, a in zip(track.xy, track.yaw, strict=True)]
        )
        parts = base[:, None] if local is None else base[:, None] @ local
        number = TRAIN_ID[name] * 1000 + len(self.actors) + 1
        quads.category[:] = TRAIN_ID[name] + 1
        quads.instance[:] = number
        self.actors.append(Actor(number, name, size, base, parts, quads))


def _numbered(parts: list[Quads]) -> Quads:
    assert len(parts) == PARTS
    return join([quads.of(0, 0, k) for k, quads in enumerate(parts)])


def _travelled(track: Track) -> np.ndarray:
    steps = np.linalg.norm(np.diff(track.xy, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _discs(track: Track, length: float, width: float) -> np.ndarray:
    """Centres (F, n, 2) of discs as wide as the thing that cover its length."""
    count = max(1, int(np.ceil(length / width)))
    ahead = np.linspace(-0.5, 0.5, count) * max(0.0, length - width) if count > 1 else np.zeros(1)
    heading = np.stack([np.cos(track.yaw), np.sin(track.yaw)], -1)
    return track.xy[:, None] + ahead[:, None] * heading[:, None]
