"""Records that cross folders. Images are (H, W, 3) uint8 RGB; lengths are metres, times nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from cups_ros.types import Point


@dataclass(frozen=True)
class Work:
    """How a stage works, not what it makes: the same on every machine but for speed."""

    seed: int  # of everything random
    workers: int  # processes of per-frame work, at least 1
    device: str  # auto, cpu, cuda or cuda:N


@dataclass(frozen=True)
class StereoCamera:
    """A rectified pinhole pair. Pixel (0, 0) is the centre of the top left pixel."""

    height: int  # px
    width: int  # px
    fx: float  # px
    fy: float  # px
    cx: float  # px
    cy: float  # px
    baseline: float  # m

    def scaled(self, height: int, width: int) -> StereoCamera:
        """The same camera at another image size (half-pixel rule)."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    @property
    def depth_scale(self) -> float:
        """Focal length times baseline [px m]: depth = depth_scale / disparity."""
        return self.fx * self.baseline


@dataclass(frozen=True, eq=False)
class StereoFrame:
    """One rectified stereo pair."""

    key: str  # "000017": index of the pair in its recording
    stamp_ns: int  # of the left image
    left: np.ndarray  # (H, W, 3) uint8 RGB
    right: np.ndarray  # (H, W, 3) uint8 RGB
    camera: StereoCamera


@dataclass(frozen=True, eq=False)
class ImageFrame:
    """One image of a single camera or of a folder of images."""

    key: str  # index of the image, or the file's stem
    stamp_ns: int  # 0 for a folder of images
    image: np.ndarray  # (H, W, 3) uint8 RGB


@dataclass(frozen=True, eq=False)
class SceneFlow:
    """Correspondences of one pair of stereo frames, on the pixels of the left image at t."""

    flow: np.ndarray  # (H, W, 2) float32 px, t -> t+1
    disparity: np.ndarray  # (H, W) float32 px at t; 0 = no finite depth (sky)
    disparity_next: np.ndarray  # (H, W) float32 px at t+1 of the point seen at this pixel at t
    flow_ok: np.ndarray  # (H, W) bool, flow passed its checks
    disparity_ok: np.ndarray  # (H, W) bool, disparity passed its checks
    disparity_next_ok: np.ndarray  # (H, W) bool, disparity_next passed its checks
    flow_sigma: np.ndarray  # (H, W) float32 px, standard deviation of one flow component
    disparity_sigma: np.ndarray  # (H, W) float32 px


@dataclass(frozen=True, eq=False)
class MovingObject:
    """An object whose motion differs from the static scene's."""

    id: int  # in its frame, from 1 on
    track_id: int | None
    score: float  # in [0, 1]
    pixels: int
    transform: np.ndarray  # (4, 4) metres: own motion t -> t+1, in the left camera's frame at t
    centroid_m: Point
    source: str  # "residual" | "rigid" | ...


class Reason(Enum):
    """Why a frame has no object. The values are the codes in motion.json."""

    NO_NEIGHBOUR = "no_neighbour"  # no frame before or after it within the time step
    NOT_GIVEN = "not_given"  # flow comes from files, and there is none for it
    NO_CAMERA_MOTION = "no_camera_motion"  # no rigid motion explains enough of the picture
    TOO_LITTLE_DEPTH = "too_little_depth"  # hardly a pixel has valid flow and depth
    NOTHING_MOVES = "nothing_moves"
    REJECTED = "rejected"  # candidates are too small, too far or too doubtful
    HIDDEN = "hidden"  # candidates lie behind others
    TOO_SMALL = "too_small"  # what is visible of the candidates
    NOT_FOUND_AGAIN = "not_found_again"  # by enough random runs of the clustering
    REFUTED = "refuted"  # by the frame before
    UNCONFIRMED = "unconfirmed"  # by the frames before and after
    AT_BORDER = "at_border"  # all objects lie where labels have none
    NOT_LABELLED = "not_labelled"  # labels of other programs have no object there
    UNKNOWN = "unknown"  # another program wrote the motion folder and gives no code


@dataclass(frozen=True)
class Absence:
    """Why a frame has no object: for programs, and as a sentence."""

    reason: Reason
    detail: str


@dataclass(frozen=True, eq=False)
class MotionResult:
    """Stage 1a's answer for one frame."""

    key: str
    stamp_ns: int
    instances: np.ndarray  # (H, W) uint16, 0 = none, else the object's id
    ego: np.ndarray | None  # (4, 4) metres: pose of the left camera at t+1 in its frame at t
    objects: tuple[MovingObject, ...]
    absence: Absence | None  # why there is no object


@dataclass(frozen=True)
class ChannelGroup:
    """Channels of a descriptor that tell of one thing."""

    name: str
    channels: int
    variance: float  # of the whole group, when it is standardised
