"""The camera's way as the recording itself tells it: nav_msgs/Odometry, else tf; a first guess of the ego-motion, never
more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cups_ros.stamps import stamp_ns
from cups_train.errors import RecordingError
from cups_train.geometry.se3 import inverse, rotation, transform
from cups_train.recording.bag import deserialize, list_topics, stream

ODOMETRY = "nav_msgs/msg/Odometry"
TF = "tf2_msgs/msg/TFMessage"
MAX_GAP_NS = 500_000_000  # between two poses that are interpolated
MAX_SPEED = 80.0  # m/s: faster is a jump of the source


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses of the left camera in a fixed frame."""

    stamp_ns: np.ndarray  # (N,) int64, ascending
    pose: np.ndarray  # (N, 4, 4) m

    def step(self, start_ns: int, end_ns: int) -> np.ndarray | None:
        """(4, 4) m: pose of the camera at `end_ns` in its frame at `start_ns`; None beyond the poses, in a gap or over
        a jump."""
        first, second = self._at(start_ns), self._at(end_ns)
        if first is None or second is None:
            return None
        step = inverse(first) @ second
        seconds = abs(end_ns - start_ns) / 1e9
        return step if np.isfinite(step).all() and np.linalg.norm(step[:3, 3]) <= MAX_SPEED * seconds else None

    def _at(self, stamp_ns: int) -> np.ndarray | None:
        """Interpolated pose: straight way, constant turn."""
        after = int(np.searchsorted(self.stamp_ns, stamp_ns))
        if after < len(self.stamp_ns) and self.stamp_ns[after] == stamp_ns:
            return np.asarray(self.pose[after])
        if after in (0, len(self.stamp_ns)) or self.stamp_ns[after] - self.stamp_ns[after - 1] > MAX_GAP_NS:
            return None
        a, b = self.pose[after - 1], self.pose[after]
        share = (stamp_ns - self.stamp_ns[after - 1]) / (self.stamp_ns[after] - self.stamp_ns[after - 1])
        turn = a[:3, :3] @ rotation(share * _rotation_vector(a[:3, :3].T @ b[:3, :3]))
        return transform(turn, (1 - share) * a[:3, 3] + share * b[:3, 3])


class _Posed(NamedTuple):
    """A frame's pose at one time."""

    stamp_ns: int
    frame: str
    pose: np.ndarray  # (4, 4) m, in a fixed frame


class _Transform(NamedTuple):
    """One transform of tf."""

    stamp_ns: int
    parent: str
    child: str
    pose: np.ndarray  # (4, 4) m, of the child in the parent


@lru_cache(maxsize=4)
def read_trajectory(path: Path, camera_frame: str) -> Trajectory | None:
    """The trajectory of `camera_frame`; None where the recording has none that is joined to it by tf_static. Read once
    a process."""
    topics = [topic for topic in list_topics(path) if topic.count]
    fixed, moving = (
        [t.name for t in topics if t.type == TF and _is_static(t.name) == static] for static in (True, False)
    )
    static = {t.child: (t.parent, t.pose) for t in _transforms(path, fixed)}
    sources = [(topic.count, topic.name) for topic in topics if topic.type == ODOMETRY]
    for _, name in sorted(sources, reverse=True):
        found = _mounted(_odometry(path, name), static, camera_frame)
        if found is not None:
            return found
    by_child: dict[str, list[_Posed]] = {}
    for t in _transforms(path, moving):
        by_child.setdefault(t.child, []).append(_Posed(t.stamp_ns, t.child, t.pose))
    for child in sorted(by_child, key=lambda name: (-len(by_child[name]), name)):
        found = _mounted(by_child[child], static, camera_frame)
        if found is not None:
            return found
    return None


def _is_static(topic: str) -> bool:
    return topic.rpartition("/")[2] == "tf_static"


def _mounted(rows: list[_Posed], static: dict[str, tuple[str, np.ndarray]], camera: str) -> Trajectory | None:
    """Poses of a frame become poses of the camera that is fixed to it; None where it is not, or with fewer than two
    poses."""
    if len(rows) < 2:
        return None
    (root, own), (camera_root, mount) = _root(static, rows[0].frame), _root(static, camera)
    if root != camera_root or any(row.frame != rows[0].frame for row in rows):
        return None
    stamps, order = np.unique(np.array([row.stamp_ns for row in rows], np.int64), return_index=True)
    return Trajectory(stamps, np.stack([rows[i].pose for i in order]) @ inverse(own) @ mount)


def _root(static: dict[str, tuple[str, np.ndarray]], frame: str) -> tuple[str, np.ndarray]:
    """The frame that a chain of fixed transforms ends at, and the pose of `frame` in it. Raises RecordingError where
    the chain is a ring."""
    pose, seen = np.eye(4), {frame}
    while frame in static:
        frame, step = static[frame]
        if frame in seen:
            raise RecordingError(
                f"expected a tree of frames on tf_static, found a ring at {frame}; record again without it"
            )
        seen.add(frame)
        pose = step @ pose
    return frame, pose


def _odometry(path: Path, topic: str) -> list[_Posed]:
    """The moving frame's pose of every message."""
    rows = []
    for _, _, data in stream(path, [topic]):
        message = _read(data, ODOMETRY, topic)
        rows.append(
            _Posed(
                stamp_ns(message.header),
                _name(message.child_frame_id),
                _pose(message.pose.pose.position, message.pose.pose.orientation),
            )
        )
    return rows


def _transforms(path: Path, topics: list[str]) -> Iterator[_Transform]:
    """Every transform of some topics."""
    for topic, _, data in stream(path, topics) if topics else ():
        for item in _read(data, TF, topic).transforms:
            yield _Transform(
                stamp_ns(item.header),
                _name(item.header.frame_id),
                _name(item.child_frame_id),
                _pose(item.transform.translation, item.transform.rotation),
            )


def _read(data: bytes, message_type: str, topic: str) -> Any:
    try:
        return deserialize(data, message_type)
    except ValueError as error:
        raise RecordingError(
            f"expected {message_type} on {topic}, found one that cannot be read: {error}; "
            "leave the topic out of the recording"
        ) from error


def _name(frame: str) -> str:
    return str(frame).lstrip("/")


def _pose(position: Any, quaternion: Any) -> np.ndarray:
    """(4, 4) from a point and a quaternion, which need not be of unit length."""
    q = np.array([quaternion.w, quaternion.x, quaternion.y, quaternion.z], np.float64)
    w, x, y, z = q / max(float(np.linalg.norm(q)), 1e-12)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return transform(turn, np.array([position.x, position.y, position.z], np.float64))


def _rotation_vector(r: np.ndarray) -> np.ndarray:
    """(3,) of a small rotation (3, 3), well below half a turn."""
    axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]) / 2
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, (np.trace(r) - 1) / 2)
    return axis * (angle / sine if sine > 1e-9 else 1.0)
