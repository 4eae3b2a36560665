"""Scene kinds: where the camera drives and who else is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.render.actors import Actor, Cast, Track
from cups_train.render.bodywork import vehicle_textures
from cups_train.render.materials import street_textures
from cups_train.render.paths import camera_poses, path
from cups_train.render.quads import Quads, join
from cups_train.render.shade import Light
from cups_train.render.standing import KERB, Layout
from cups_train.render.street import build_street
from cups_train.render.textures import TextureBank, TextureBuilder, plain

SCENES = ("drive", "junction", "turn", "standstill", "static")
STEP_S = 0.1


@dataclass(frozen=True, eq=False)
class Scene:
    """A world and everything that happens in it."""

    camera_poses: np.ndarray  # (F, 4, 4) world_T_left camera; F = frames + 1
    standing: Quads  # part 0
    actors: list[Actor]
    shadow_casters: list[np.ndarray]  # (n, 3) corner points of standing things
    light: Light
    bank: TextureBank


def make_scene(kind: str, frames: int, seed: int, camera_height: float) -> Scene:
    """A scene of `kind` (one of SCENES) for `frames` frames at 10 Hz; the same seed gives the same scene."""
    rng = np.random.default_rng([seed, SCENES.index(kind)])
    builder = TextureBuilder()
    textures = street_textures(builder, rng)
    vehicles, cloth = vehicle_textures(builder, rng), builder.add(plain(rng, (150, 150, 150), 64, 14))
    layout = _layout(kind, frames, rng)
    ego, moving = _ego(kind, layout, frames, rng)
    street = build_street(layout, textures, rng, 0 if kind in ("junction", "standstill") else 2)
    cast = Cast(vehicles, cloth, rng)
    cast.reserve(ego, 4.5, 1.8)
    _Traffic(cast, layout, frames, rng, ego).fill(kind)
    poses = camera_poses(ego.xy, ego.yaw, camera_height, moving, rng)
    return Scene(poses, join(street.quads), cast.actors, street.tall, _light(rng, textures.clouds), builder.build())


def _layout(kind: str, frames: int, rng: np.random.Generator) -> Layout:
    travel = 0.1 * frames * 9.0
    first = {
        "drive": rng.uniform(38, 60),
        "static": rng.uniform(38, 60),
        "junction": 30.0,
        "turn": 15.0,
        "standstill": 14.0,
    }[kind]
    junctions = [float(first)]
    while junctions[-1] < travel + 40 and kind != "turn":
        junctions.append(junctions[-1] + float(rng.uniform(62, 80)))
    arm = 75.0 + (travel if kind == "turn" else 0.0)
    return Layout(
        lane=float(rng.uniform(3.2, 3.7)),
        parking=2.2,
        cross=float(rng.uniform(4.0, 5.0)),
        pavement=float(rng.uniform(2.8, 3.8)),
        junctions=tuple(junctions),
        start=-40.0,
        end=junctions[-1] + float(rng.uniform(60, 85)),
        arm=arm,
    )


def _ego(kind: str, layout: Layout, frames: int, rng: np.random.Generator) -> tuple[Track, np.ndarray]:
    """The camera's track (F,) and how much it rocks (F,)."""
    time, x = STEP_S * np.arange(frames + 1), layout.lane / 2
    side = -1.0 if rng.random() < 0.5 else 1.0  # turns right or left
    speed = np.full(
        frames + 1,
        {"drive": rng.uniform(7, 9), "static": rng.uniform(6, 9), "junction": 7.0, "turn": 5.0, "standstill": 0.0}[
            kind
        ],
    )
    if kind == "junction":
        speed = np.maximum(speed - 2.2 * time, 0.0)
    elif kind != "standstill":
        speed *= 1 + 0.06 * np.sin(0.8 * time + rng.uniform(0, 6))
    distance = np.concatenate([[0.0], np.cumsum(speed[:-1] * STEP_S)])
    pieces = [(1.0, 0.0)]
    if kind == "turn":
        radius = 8.0 if side > 0 else 5.5
        reach = layout.junctions[0] + side * 0.47 * layout.cross - radius
        pieces = [(max(0.5, float(reach)), 0.0), (float(radius * np.pi / 2), side * np.pi / 2), (1.0, 0.0)]
    xy, yaw = path((x, 0.0), np.pi / 2, pieces).at(distance)
    return Track(xy, yaw), np.clip(speed / 6, 0, 1)


def _light(rng: np.random.Generator, clouds: int) -> Light:
    """Sun from behind or aside, sometimes overcast."""
    overcast = rng.random() < 0.3
    azimuth, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(32, 60))
    sun = np.array([np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)])
    zenith = np.array([150.0, 160, 172]) if overcast else np.array([92.0, 138, 200])
    return Light(
        sun=sun,
        sun_strength=0.12 if overcast else 0.5,
        ambient=0.78 if overcast else 0.56,
        haze=float(rng.uniform(0.0006, 0.004)),
        shadow=0.88 if overcast else 0.55,
        zenith=zenith,
        horizon=np.array([205.0, 212, 218]),
        cloud_cover=0.72 if overcast else float(rng.uniform(0.3, 0.6)),
        cloud_texture=clouds,
    )


@dataclass(eq=False)
class _Traffic:
    """Fills a street with those who have room."""

    cast: Cast
    layout: Layout
    frames: int
    rng: np.random.Generator
    ego: Track

    def fill(self, kind: str) -> None:
        self._parked()
        if kind == "static":
            self._people(still=True)
            return
        stands = kind in ("junction", "standstill")
        self._leading(kind)
        if stands or kind == "drive":
            self._crossing_people(stands)
        self._cross_traffic(stands)
        self._oncoming(queue=kind == "junction")
        self._cyclists(kind)
        self._people(still=False)

    def _line(self, at: tuple[float, float], yaw: float, speed: float, z: float = 0.0) -> Track:
        way = speed * STEP_S * np.arange(self.frames + 1)
        xy = np.array(at) + way[:, None] * np.array([np.cos(yaw), np.sin(yaw)])
        return Track(xy, np.full(self.frames + 1, yaw), z)

    def _kind(self) -> str:
        return str(self.rng.choice(["car", "car", "car", "van", "bus", "truck"], p=[0.3, 0.3, 0.14, 0.1, 0.08, 0.08]))

    def _parked(self) -> None:
        rng, p = self.rng, self.layout
        for low, high in p.blocks:
            for side in (-1.0, 1.0):
                share = float(rng.choice([0.25, 0.6, 0.8]))
                for y in np.arange(max(low, -12) + 8.8, high - 8, 5.6):
                    if rng.random() < share:
                        yaw = (np.pi / 2 if side > 0 else -np.pi / 2) + rng.normal(0, 0.02)
                        at = (side * (p.lane + 1.2 + rng.normal(0, 0.04)), float(y) + float(rng.normal(0, 0.15)))
                        self.cast.vehicle(str(rng.choice(["car", "car", "van"])), self._line(at, float(yaw), 0.0))

    def _leading(self, kind: str) -> None:
        """Cars ahead of the camera in its lane, as fast as it is on the whole."""
        rng = self.rng
        if kind not in ("drive", "turn"):
            return
        travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.ego.xy, axis=0), axis=1))])
        ahead = float(rng.uniform(11, 15)) if kind == "drive" else float(rng.uniform(24, 30))
        time = STEP_S * np.arange(self.frames + 1)
        for _ in range(2 if kind == "drive" else 1):
            drift = rng.uniform(0.3, 1.2) * np.sin(rng.uniform(0.3, 0.6) * time + rng.uniform(-0.7, 0.7))
            y = ahead + travelled * (1.0 if kind == "drive" else 1.5) + drift - drift[0]
            track = Track(
                np.stack([np.full(len(y), self.layout.lane / 2 + rng.normal(0, 0.1)), y], -1),
                np.full(len(y), np.pi / 2),
            )
            self.cast.vehicle(self._kind() if ahead > 20 else "car", track)
            ahead += float(rng.uniform(13, 20))

    def _oncoming(self, queue: bool) -> None:
        rng, p = self.rng, self.layout
        speed, y = float(rng.uniform(5.5, 8.5)), float(rng.uniform(12, 20))
        reach = p.end + speed * STEP_S * self.frames
        if queue:
            y = p.junctions[0] + p.cross + 8
            for _ in range(3):
                self.cast.vehicle(self._kind(), self._line((-p.lane / 2, y), -np.pi / 2, 0.0))
                y += float(rng.uniform(7, 9))
            return
        while y < reach:
            motor = rng.random() < 0.12
            track = self._line((-p.lane / 2 + float(rng.normal(0, 0.1)), y), -np.pi / 2, speed)
            if motor:
                self.cast.cyclist(track, motor=True)
            else:
                self.cast.vehicle(self._kind(), track)
            y += float(rng.uniform(13, 26))

    def _cross_traffic(self, stands: bool) -> None:
        rng, p = self.rng, self.layout
        for number, y in enumerate(p.junctions):
            if number and rng.random() < 0.4:
                continue
            for direction in (1.0, -1.0):
                speed = float(rng.uniform(5, 8))
                x = float(rng.uniform(-10, 4)) if stands else float(rng.uniform(-30, 0))
                for _ in range(2 + int(speed * STEP_S * self.frames / 15)):
                    yaw = 0.0 if direction > 0 else np.pi
                    self.cast.vehicle(
                        self._kind(), self._line((direction * x, y - direction * p.cross * 0.47), yaw, speed)
                    )
                    x -= float(rng.uniform(11, 22))

    def _crossing_people(self, stands: bool) -> None:
        """Over the zebra; while the camera drives, only where they leave its way in time."""
        rng, p = self.rng, self.layout
        for y in p.junctions if not stands else p.junctions[:1]:
            for _ in range(5 if stands else 4):
                direction = 1.0 if rng.random() < 0.5 else -1.0
                speed = float(rng.uniform(1.0, 1.6))
                at = (
                    -direction * float(rng.uniform(-2.5, p.kerb + 1)),
                    y - (p.cross + 2.2) + float(rng.uniform(-1.2, 1.2)),
                )
                self.cast.person(self._line(at, 0.0 if direction > 0 else np.pi, speed))

    def _cyclists(self, kind: str) -> None:
        rng, p = self.rng, self.layout
        x = p.lane - 0.35
        for y in (float(rng.uniform(8, 14)), float(rng.uniform(22, 40))):
            if kind != "standstill" or y > 20:
                self.cast.cyclist(
                    self._line((x, y), np.pi / 2, float(rng.uniform(3.5, 5.0)) if kind != "junction" else 0.0)
                )
        for y in (float(rng.uniform(18, 26)), float(rng.uniform(40, 60))):
            self.cast.cyclist(self._line((-x, y), -np.pi / 2, float(rng.uniform(3.5, 5.0))))

    def _people(self, still: bool) -> None:
        rng, p = self.rng, self.layout
        for low, high in p.blocks:
            for _ in range(max(3, int((high - low) / 8))):
                side = 1.0 if rng.random() < 0.5 else -1.0
                speed = 0.0 if still or rng.random() < 0.2 else float(rng.uniform(0.9, 1.6))
                yaw = float(rng.choice([-np.pi / 2, np.pi / 2])) if speed else float(rng.uniform(0, 6.3))
                at = (
                    side * (p.kerb + float(rng.uniform(1.3, p.pavement - 0.5))),
                    float(rng.uniform(max(low, -5), high)),
                )
                self.cast.person(self._line(at, yaw, speed, KERB))
