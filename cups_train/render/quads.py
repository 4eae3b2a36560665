"""Planar textured quads, the only primitive of the street, and the solids made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np

# bits of `Quads.flags`: seen from behind; holes by alpha; takes shadows; reflects the sky
TWO_SIDED, CUTOUT, GROUND, SHINY = 1, 2, 4, 8
Vector = tuple[float, float, float]  # x, y, z [m]


@dataclass(frozen=True, eq=False)
class Quads:
    """N convex planar quads. Seen from the front their corners are top left, top right, bottom right, bottom left."""

    corners: np.ndarray  # (N, 4, 3) float64 m, in the frame of the quad's part
    origin: np.ndarray  # (N, 3) float64 m, where the texture's top left lies
    axes: np.ndarray  # (N, 2, 3) float64 m, the texture's full width and height on the plane
    repeat: np.ndarray  # (N, 2) float64, how often the texture is laid along `axes`
    texture: np.ndarray  # (N,) int32
    tint: np.ndarray  # (N, 3) float32, factor on the texture's RGB
    category: np.ndarray  # (N,) int32, train id + 1, 0 = void
    instance: np.ndarray  # (N,) int32, true_id of a thing, else 0
    part: np.ndarray  # (N,) int32, row of the pose table; 0 never moves
    flags: np.ndarray  # (N,) int32

    def __len__(self) -> int:
        return len(self.corners)

    def placed(self, poses: np.ndarray) -> Quads:
        """In the world: every quad moved by the pose of its part. poses: (P, 4, 4) world_T_part."""
        pose = poses[self.part]
        turn, shift = pose[:, :3, :3], pose[:, :3, 3]
        corners = np.einsum("nij,nkj->nki", turn, self.corners) + shift[:, None]
        origin = np.einsum("nij,nj->ni", turn, self.origin) + shift
        return replace(self, corners=corners, origin=origin, axes=np.einsum("nij,nkj->nki", turn, self.axes))

    def moved(self, pose: np.ndarray) -> Quads:
        """All quads moved by one pose (4, 4)."""
        turn, shift = pose[:3, :3], pose[:3, 3]
        return replace(
            self, corners=self.corners @ turn.T + shift, origin=self.origin @ turn.T + shift, axes=self.axes @ turn.T
        )

    def of(self, category: int, instance: int = 0, part: int = 0) -> Quads:
        """The same shapes as another thing."""
        n = len(self)
        return replace(
            self,
            category=np.full(n, category, np.int32),
            instance=np.full(n, instance, np.int32),
            part=np.full(n, part, np.int32),
        )


@dataclass(frozen=True)
class Paint:
    """How a surface looks."""

    texture: int
    tint: tuple[float, ...] = (1.0, 1.0, 1.0)  # factors on R, G, B
    metres: float | None = None  # side of one texture tile; None: the texture fills the quad once
    flags: int = 0


def join(many: Iterable[Quads]) -> Quads:
    """All quads in one record; at least one part is expected."""
    parts = list(many)
    return Quads(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Quads)))


def quad(corners: object, paint: Paint | list[Paint]) -> Quads:
    """One quad from its four corners (4, 3), or N from (N, 4, 3) with one paint for all or N of them.

    The texture stands upright in the smallest rectangle around the quad.
    """
    points = np.asarray(corners, np.float64).reshape(-1, 4, 3)
    n = len(points)
    paints = paint if isinstance(paint, list) else [paint] * n
    across, down = points[:, 1] - points[:, 0], points[:, 3] - points[:, 0]
    thin = np.linalg.norm(across, axis=1) < 1e-6
    across[thin] = (points[:, 2] - points[:, 3])[thin]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    down -= np.sum(down * across, 1, keepdims=True) * across
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    local = np.einsum("nki,nji->nkj", points - points[:, :1], np.stack([across, down], 1))
    low, size = local.min(1), np.ptp(local, axis=1)
    origin = points[:, 0] + low[:, :1] * across + low[:, 1:] * down
    repeat = np.array([(1.0, 1.0) if p.metres is None else s / p.metres for p, s in zip(paints, size, strict=True)])
    none = np.zeros(n, np.int32)
    return Quads(
        points,
        origin,
        np.stack([across * size[:, :1], down * size[:, 1:]], 1),
        repeat,
        np.array([p.texture for p in paints], np.int32),
        np.array([p.tint for p in paints], np.float32),
        none,
        none.copy(),
        none.copy(),
        np.array([p.flags for p in paints], np.int32),
    )


def prism(
    bottom: np.ndarray, top: np.ndarray, paint: Paint | list[Paint], cap: Paint | None = None, floor: bool = False
) -> Quads:
    """A solid between two rings of n corners (n, 3), right-handed about the axis from bottom to top; a cap is laid on
    top where n is 4 or 6.

    With four corners in the order rear right, front right, front left, rear left (x forward, y left) the sides are
    right, front, left, rear; `paint` may give one each.
    """
    n = len(bottom)
    paints = list(paint) if isinstance(paint, list) else [paint] * n
    faces = [[top[i], top[(i + 1) % n], bottom[(i + 1) % n], bottom[i]] for i in range(n)]
    if cap is not None:
        lids = {4: [(3, 2, 1, 0)], 6: [(3, 2, 1, 0), (0, 5, 4, 3)]}[n]
        faces += [[top[i] for i in lid] for lid in lids]
        paints += [cap] * len(lids)
    if cap is not None and floor:
        faces.append([bottom[i] for i in (2, 3, 0, 1)])
        paints.append(cap)
    return quad(faces, paints)


def ring(length: float, width: float, height: float, center: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Four corners (4, 3) of a level rectangle, in the order `prism` expects."""
    x, y = center
    return np.array(
        [
            [x - length / 2, y - width / 2, height],
            [x + length / 2, y - width / 2, height],
            [x + length / 2, y + width / 2, height],
            [x - length / 2, y + width / 2, height],
        ]
    )


def circle(radius: float, height: float, n: int = 6, center: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """n corners (n, 3) on a level circle."""
    angle = np.arange(n) * 2 * np.pi / n
    return np.stack([center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle), np.full(n, height)], 1)


def box(
    size: Vector,
    base: Vector,
    paint: Paint | list[Paint],
    cap: Paint | None = None,
) -> Quads:
    """An upright box (length x, width y, height z) standing on `base`, the middle of its floor; with floor and lid."""
    low, high = ring(size[0], size[1], base[2], base[:2]), ring(size[0], size[1], base[2] + size[2], base[:2])
    return prism(low, high, paint, cap or (paint[0] if isinstance(paint, list) else paint), floor=True)


def pose(x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """world_T_object (4, 4) of something that stands level at (x, y, z) m and looks along yaw rad."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])


def hinge(point: Vector, angle: float) -> np.ndarray:
    """Pose (4, 4) of a limb that hangs from `point` and swings about the y axis by angle rad, forward positive."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, -s, point[0]], [0, 1, 0, point[1]], [s, 0, c, point[2]], [0, 0, 0, 1.0]])
