"""What a camera_info says about a camera: is it rectified, and how its images become so. Numpy and OpenCV only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from cups_ros.depth import Pinhole
from cups_ros.types import Box

FISHEYE = ("equidistant", "fisheye")
PINHOLE = ("", "plumb_bob", "rational_polynomial")
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
        if (
            not np.isfinite((*self.d, *self.k, *self.r, *self.p)).all()
            or self.k[0] <= 0
            or self.p[0] <= 0
            or self.p[5] <= 0
        ):
            raise CalibrationError("expected a calibrated camera, found no focal length in K or P")
        if self.width < 1 or self.height < 1:
            raise CalibrationError(f"expected the size of the image, found {self.width}x{self.height}")
        if self.model not in (*PINHOLE, *FISHEYE) and any(self.d):
            raise CalibrationError(
                f"expected the lens model plumb_bob, rational_polynomial or equidistant, found {self.model!r}"
            )

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
        cut = np.array([[1 / across, 0, -x / across], [0, 1 / down, -y / down], [0, 0, 1]])
        k, p = (cut @ np.reshape(matrix, (3, -1)) for matrix in (self.k, self.p))
        return replace(
            self, width=width // across, height=height // down, k=tuple(k.ravel().tolist()), p=tuple(p.ravel().tolist())
        )

    def pinhole(self) -> Pinhole:
        """The rectified camera."""
        return Pinhole(self.height, self.width, self.p[0], self.p[5], self.p[2], self.p[6])


def rectify(image: np.ndarray, lens: Lens, target: Numbers | None = None) -> np.ndarray:
    """(H, W, 3) uint8 -> the same as the rectified camera sees it, bilinear; black where the lens saw nothing. Raises
    CalibrationError.

    target: 3x3 intrinsics of the picture that is wanted; none: the camera's own (P).
    """
    if image.shape[:2] != (lens.height, lens.width):
        raise CalibrationError(
            f"expected an image of {lens.width}x{lens.height} pixels as camera_info says, found "
            f"{image.shape[1]}x{image.shape[0]}"
        )
    return np.asarray(cv2.remap(image, *_maps(lens, target or lens.target()), cv2.INTER_LINEAR))


@lru_cache(maxsize=2)
def _is_pinhole(lens: Lens) -> bool:
    turned = any(lens.r) and not np.allclose(lens.r, IDENTITY, atol=1e-6)
    return not any(lens.d) and not turned and np.allclose(lens.k, lens.target(), atol=SAME_PX)


@lru_cache(maxsize=8)
def _maps(lens: Lens, pinhole: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """The two maps of cv2.remap, (H, W, 2) int16 and (H, W) uint16."""
    k, r, target = (np.reshape(matrix, (3, 3)) for matrix in (lens.k, lens.r if any(lens.r) else IDENTITY, pinhole))
    d, size = np.array(lens.d, np.float64), (lens.width, lens.height)
    if lens.model in FISHEYE and d.any():
        return cv2.fisheye.initUndistortRectifyMap(k, d[:4], r, target, size, cv2.CV_16SC2)
    return cv2.initUndistortRectifyMap(k, d, r, target, size, cv2.CV_16SC2)
