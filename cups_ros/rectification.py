"""What a camera_info says about a camera: is it rectified, and how its images become so. Numpy and OpenCV only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from cups_ros.depth import Pinhole
from cups_ros.types import Box

FISHEYE = ("equidistant", "fisheye", "kannalabrandt", "kannalabrandt4", "kb4")
PINHOLE = (
    *("", "none", "pinhole", "perspective", "opencv", "plumbbob", "brown", "brownconrady", "modifiedbrownconrady"),
    *("radtan", "radialtangential", "rational", "rationalpolynomial", "thinprism"),
)
PINHOLE_TERMS = (5, 8, 12, 14)  # lengths of D that OpenCV knows; zeros fill up to the next
FISHEYE_TERMS = (4,)
MAX_TERM = 1e5  # of D: no lens has more
FOCAL_WIDTHS = (0.02, 500.0)  # focal lengths that a camera can have, in widths of its image
FOCAL_PX = (1.0, 1e6)  # the same where the size is not told
TURN_ERROR = 0.01  # R is a rotation within this
SAME_PX = 0.01  # intrinsics that differ by less are equal
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
Numbers = tuple[float, ...]


class CalibrationError(ValueError):
    """A camera_info that cannot be used: one sentence, to which the reader adds where it was found."""


@dataclass(frozen=True)
class Lens:
    """A camera as its camera_info describes it; matrices row by row."""

    height: int  # px
    width: int  # px
    model: str
    d: Numbers
    k: Numbers  # 3x3, px
    r: Numbers  # 3x3
    p: Numbers  # 3x4, px and px m

    def __post_init__(self) -> None:
        if not np.isfinite((*self.d, *self.k, *self.r, *self.p)).all() or min(self.k[0], self.p[0], self.p[5]) <= 0:
            raise CalibrationError("expected a calibrated camera, found no focal length in K or P")
        if (self.width < 1 or self.height < 1) and (self.width, self.height) != (0, 0):
            raise CalibrationError(f"expected the size of the image, found {self.width}x{self.height}")
        low, high = (share * self.width for share in FOCAL_WIDTHS) if self.width else FOCAL_PX
        if not low <= min(self.k[0], self.p[0]) <= max(self.k[0], self.p[0]) <= high:
            raise CalibrationError(
                f"expected a focal length between {low:g} and {high:g} px for {self.width} columns, found "
                f"{self.k[0]:g} in K and {self.p[0]:g} in P"
            )
        turn = np.reshape(self.r, (3, 3))
        if turn.any() and (np.abs(turn @ turn.T - np.eye(3)).max() > TURN_ERROR or np.linalg.det(turn) < 0):
            raise CalibrationError(f"expected a rotation in R, found {' '.join(f'{value:g}' for value in self.r)}")
        if any(self.d):
            _check_distortion(self.model, self.d)

    def sized(self, size: tuple[int, int]) -> Lens:
        """The lens of images of `size` (height, width), where the driver leaves the size at 0x0."""
        return self if self.width else replace(self, height=size[0], width=size[1])

    def is_rectified(self, image_topic: str) -> bool:
        """Images of a `rect` topic are, whatever D says (their camera_info is the raw image's); others where K, D, R, P
        say so."""
        return bool(re.search(r"(^|[/_])rect(ified)?([/_]|$)", image_topic)) or _is_pinhole(self)

    def target(self) -> Numbers:
        """3x3 intrinsics of the rectified image."""
        return (*self.p[0:3], *self.p[4:7], *self.p[8:11])

    def shown(self, window: Box, binning: tuple[int, int]) -> Lens:
        """The lens of images that are cut to `window` (x, y, width, height [px]) and then binned (pixels across and
        down that become one)."""
        (x, y, width, height), (across, down) = window, binning
        if (width, height, across, down) == (self.width, self.height, 1, 1):
            return self
        if width < across or height < down:
            raise CalibrationError(f"expected the size of the image, found {width // across}x{height // down}")
        cut = np.array([[1 / across, 0, -x / across], [0, 1 / down, -y / down], [0, 0, 1]])
        k, p = (cut @ np.reshape(matrix, (3, -1)) for matrix in (self.k, self.p))
        return replace(
            self, width=width // across, height=height // down, k=tuple(k.ravel().tolist()), p=tuple(p.ravel().tolist())
        )

    def pinhole(self) -> Pinhole:
        """The rectified camera."""
        return Pinhole(self.height, self.width, self.p[0], self.p[5], self.p[2], self.p[6])


def lens_from(message: Any) -> Lens:
    """The lens through which a camera's images are seen: `roi` and `binning` as sensor_msgs/CameraInfo defines them.
    Raises CalibrationError."""
    lens, roi = whole_lens(message), message.roi
    window = (roi.x_offset, roi.y_offset, roi.width or lens.width, roi.height or lens.height)  # 0: all of it
    return lens.shown(window, (message.binning_x or 1, message.binning_y or 1)) if lens.width else lens


def whole_lens(message: Any) -> Lens:
    """The lens of the whole sensor, of a sensor_msgs/CameraInfo of rclpy or rosbags. P alone describes a rectified
    image. Raises CalibrationError."""
    d, k, r, p = (tuple(float(v) for v in np.ravel(a)) for a in (message.d, message.k, message.r, message.p))
    if not any(k) and not any(d):
        k, r = (*p[0:3], *p[4:7], *p[8:11]), IDENTITY
    model = str(message.distortion_model).lower()
    return Lens(int(message.height), int(message.width), model, d, k, r if any(r) else IDENTITY, p)


def rectify(image: np.ndarray, lens: Lens, target: Numbers | None = None) -> np.ndarray:
    """(H, W, 3) uint8 -> the same as the rectified camera sees it, bilinear; black where the lens saw nothing. Raises
    CalibrationError.

    target: 3x3 intrinsics of the picture that is wanted; none: the camera's own (P).
    """
    lens = lens.sized(image.shape[:2])
    if image.shape[:2] != (lens.height, lens.width):
        raise CalibrationError(
            f"expected an image of {lens.width}x{lens.height} pixels as camera_info says, found "
            f"{image.shape[1]}x{image.shape[0]}"
        )
    return np.asarray(cv2.remap(image, *_maps(lens, target or lens.target()), cv2.INTER_LINEAR))


def _plain(model: str) -> str:
    """One spelling of a model's name: vendors write Brown-Conrady, plumb bob, KANNALA_BRANDT."""
    return re.sub(r"[^a-z0-9]", "", model.lower())


def _terms(model: str, d: Numbers) -> Numbers:
    """D with zeros up to a length that OpenCV knows, and without those beyond."""
    lengths = FISHEYE_TERMS if _plain(model) in FISHEYE else PINHOLE_TERMS
    last = max((at for at, value in enumerate(d, 1) if value), default=0)
    wanted = next((length for length in lengths if length >= last), last)
    return (*d[:wanted], *[0.0] * (wanted - len(d)))


def _check_distortion(model: str, d: Numbers) -> None:
    """Raises CalibrationError where D is none of its model's."""
    if _plain(model) not in (*PINHOLE, *FISHEYE):
        raise CalibrationError(
            f"expected the lens model plumb_bob, rational_polynomial or equidistant, found {model[:40]!r}"
        )
    most = (FISHEYE_TERMS if _plain(model) in FISHEYE else PINHOLE_TERMS)[-1]
    if len(_terms(model, d)) > most:
        raise CalibrationError(f"expected at most {most} numbers in D of the model {model!r}, found {len(d)}")
    if max(map(abs, d)) > MAX_TERM:
        raise CalibrationError(f"expected numbers of a lens in D, found {max(d, key=abs):g}")


@lru_cache(maxsize=2)
def _is_pinhole(lens: Lens) -> bool:
    turned = any(lens.r) and not np.allclose(lens.r, IDENTITY, atol=1e-6)
    return not any(lens.d) and not turned and np.allclose(lens.k, lens.target(), atol=SAME_PX)


@lru_cache(maxsize=8)
def _maps(lens: Lens, pinhole: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """The two maps of cv2.remap, (H, W, 2) int16 and (H, W) uint16."""
    k, r, target = (np.reshape(matrix, (3, 3)) for matrix in (lens.k, lens.r if any(lens.r) else IDENTITY, pinhole))
    d, size = np.array(_terms(lens.model, lens.d), np.float64), (lens.width, lens.height)
    if _plain(lens.model) in FISHEYE and d.any():
        return cv2.fisheye.initUndistortRectifyMap(k, d, r, target, size, cv2.CV_16SC2)
    return cv2.initUndistortRectifyMap(k, d, r, target, size, cv2.CV_16SC2)
