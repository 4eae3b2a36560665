"""Ways over the ground: position and heading by distance travelled, and the camera's pose on a driving car."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.render.quads import pose

STEP = 0.25  # m between stored points of a path


@dataclass(frozen=True, eq=False)
class Path2D:
    """A way over the ground as close points."""

    xy: np.ndarray  # (n, 2) m
    yaw: np.ndarray  # (n,) rad, without jumps of 2 pi

    def at(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (k, 2) and headings (k,) at distances [m] along the path; straight on beyond its ends."""
        s = np.arange(len(self.yaw)) * STEP
        inside = np.clip(distance, 0, s[-1])
        yaw = np.interp(inside, s, self.yaw)
        over = (distance - inside)[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], -1)
        return np.stack([np.interp(inside, s, self.xy[:, k]) for k in (0, 1)], -1) + over, yaw


def path(start: tuple[float, float], yaw: float, pieces: list[tuple[float, float]]) -> Path2D:
    """A path from `start` along `yaw`; pieces are (length in m, turn in rad, left positive)."""
    bend = np.concatenate(
        [np.full(max(1, round(length / STEP)), turn / max(1, round(length / STEP))) for length, turn in pieces]
    )
    heading = np.concatenate([[yaw], yaw + np.cumsum(bend)])
    middle = (heading[1:] + heading[:-1]) / 2
    steps = STEP * np.stack([np.cos(middle), np.sin(middle)], -1)
    return Path2D(np.concatenate([[start], np.array(start) + np.cumsum(steps, 0)]), heading)


def camera_poses(
    xy: np.ndarray, yaw: np.ndarray, height: float, moving: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """world_T_camera (F, 4, 4) of a camera that looks ahead from a car: pitched down a little, rocking while it drives.

    xy: (F, 2) m, yaw: (F,) rad, moving: (F,) share of the rocking, 0 stands still.
    """
    time = 0.1 * np.arange(len(yaw))

    def rock(amplitude: float, slowest: float) -> np.ndarray:
        waves = [
            np.sin(2 * np.pi * (slowest * k * rng.uniform(0.8, 1.2)) * time + rng.uniform(0, 6.3)) / k for k in (1, 2)
        ]
        return amplitude * moving * np.sum(waves, 0)

    pitch, roll = np.radians(0.8) + rock(np.radians(0.18), 0.9), rock(np.radians(0.15), 0.7)
    bounce, sway = rock(0.010, 1.1), rock(np.radians(0.12), 0.4)
    poses = []
    for k in range(len(yaw)):
        # optical x right, y down, z forward from x forward, y left, z up
        axes = np.array([[0, -1.0, 0], [0, 0, -1.0], [1.0, 0, 0]]).T
        tilt = _turn(pitch[k], 0) @ _turn(roll[k], 2)
        body = pose(float(xy[k, 0]), float(xy[k, 1]), height + float(bounce[k]), float(yaw[k] + sway[k]))
        body[:3, :3] = body[:3, :3] @ axes @ tilt
        poses.append(body)
    return np.stack(poses)


def _turn(angle: float, axis: int) -> np.ndarray:
    """Rotation about the camera's x (downwards positive) or z axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) if axis == 0 else np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
