"""What the ego-motion leaves unexplained, pixel by pixel, and the scales of one pair that every limit follows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cups_train.geometry.ground import Ground
from cups_train.motion.ego import Ego
from cups_train.motion.links import depth_links
from cups_train.motion.rigid_fit import Correspondences, chi_square, correspondences_at, predict
from cups_train.types import SceneFlow, StereoCamera

FLOOR_PX = 0.05  # smallest noise ever assumed
ROUGH_PX = 0.1  # measurements with more noise than this are estimates: they need the stricter rules


@dataclass(frozen=True)
class Scales:
    """Limits of one pair. Sizes follow the focal length (704 px in the tuning data), motions the time step, links the
    noise."""

    rough: bool  # estimated, not exact, measurements
    low: float  # chi-square from which a pixel may move
    high: float  # chi-square from which it surely does
    link_px: float  # largest step of disparity between neighbours on one surface
    link_share: float  # the same, share of the disparity
    unit: float  # px, focal length / 704
    step_s: float  # s from t to t+1
    min_shift: float  # m, smallest displacement between the frames that counts as motion
    max_depth: float  # m
    min_area: float  # m2

    @property
    def min_pixels(self) -> int:
        return max(40, round(100 * self.unit**2))


@dataclass(frozen=True, eq=False)
class Evidence:
    """One pair after the ego-motion."""

    flow: SceneFlow
    camera: StereoCamera
    ego: Ego
    scales: Scales
    samples: Correspondences  # of all pixels, row by row, (H * W, ...)
    chi: np.ndarray  # (H, W) chi-square against the static motion; NaN where flow or disparity is unknown
    residual: np.ndarray  # (H, W, 2) px, flow minus static flow; NaN where unknown
    height: np.ndarray  # (H, W) m over the ground; NaN where unknown
    off_ground: np.ndarray  # (H, W) bool, surely not a part of the ground
    ground: Ground | None

    @cached_property
    def links(self) -> tuple[np.ndarray, np.ndarray]:
        """Does the surface go on to the right, (H, W-1) bool, and downwards, (H-1, W) bool?"""
        return depth_links(self.flow.disparity, self.scales)

    def chi_at(self, own: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(N,) chi-square of the pixels of a mask (H, W), row by row, under an object's own motion (4, 4); NaN where
        unknown."""
        chi = chi_square(self.camera, self.ego.motion @ own, self.samples.pick(np.flatnonzero(mask.ravel())))
        return np.where(np.isnan(self.chi[mask]), np.nan, chi)

    def chi_in(self, own: np.ndarray, box: tuple[slice, slice], mask: np.ndarray) -> np.ndarray:
        """(N,) chi-square of those pixels of a box that are in the mask (h, w), under an object's own motion (4, 4)."""
        v, u = np.nonzero(mask)
        return chi_square(
            self.camera,
            self.ego.motion @ own,
            self.samples.pick((v + box[0].start) * self.chi.shape[1] + u + box[1].start),
        )

    def chi_of(self, own: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
        """Chi-square of the pixels of a box under an object's own motion (4, 4); NaN where unknown."""
        shape = self.chi[box].shape
        index = np.arange(self.chi.size).reshape(self.chi.shape)[box].ravel()
        chi = chi_square(self.camera, self.ego.motion @ own, self.samples.pick(index)).reshape(shape)
        return np.where(np.isnan(self.chi[box]), np.nan, chi)


def scales_of(flow: SceneFlow, camera: StereoCamera, step_s: float, max_depth: float, min_area: float) -> Scales:
    """Limits that fit the noise of the measurement, the camera and the time step."""
    rough = float(np.median(flow.flow_sigma)) > ROUGH_PX
    noise = float(np.quantile(flow.disparity_sigma, 0.1))
    return Scales(
        rough=rough,
        low=20 if rough else 14,
        high=40 if rough else 30,
        link_px=0.15 + min(noise, 0.3),
        link_share=0.04 if rough else 0.03,
        unit=camera.fx / 704,
        step_s=step_s,
        min_shift=(0.4 if rough else 0.15) * step_s,
        max_depth=max_depth,
        min_area=min_area,
    )


def gather(flow: SceneFlow, camera: StereoCamera, ego: Ego, ground: Ground | None, scales: Scales) -> Evidence:
    """Chi-square, residual flow and height of every pixel."""
    shape = flow.disparity.shape
    noise = np.maximum(ego.noise, FLOOR_PX)
    samples = correspondences_at(flow, camera, np.ones(shape, bool)).with_floor(noise)
    known = flow.flow_ok & flow.disparity_ok
    chi = np.where(known, chi_square(camera, ego.motion, samples).reshape(shape), np.nan)
    predicted, _ = predict(camera, ego.motion, samples.rays, samples.inverse_depth)
    residual = (samples.target - predicted)[:, :2].reshape(*shape, 2)
    height = np.full(shape, np.nan, np.float32) if ground is None else ground.height_over(camera, flow.disparity)
    if ground is None:
        off = np.ones(shape, bool)
    else:
        plane = ground.disparity(camera, shape)
        slack = (2 if scales.rough else 1) * scales.link_px
        off = (flow.disparity - plane > slack) & (height > 0.12) | (plane <= 0)
    far = flow.disparity < camera.depth_scale / scales.max_depth
    chi = np.where(far & ~np.isnan(chi), np.minimum(chi, scales.low / 2), chi)
    return Evidence(
        flow,
        camera,
        ego,
        scales,
        samples,
        chi,
        np.where(known[..., None], residual, np.nan),
        height,
        off,
        ground,
    )
