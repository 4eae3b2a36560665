"""Robust rigid motions from scene flow: residuals in (u, v, disparity), inverse depth, Gauss-Newton.

A point is its ray r = (x, y, 1) and its disparity d at t; after the motion x' = R x + t its scaled position is q = R r
+ w t with w = d / (f b), its pixel q_xy / q_z and its disparity d / q_z. With d = 0 (no finite depth) only the rotation
acts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.geometry.camera import rays
from cups_train.geometry.se3 import rotation, skew, transform
from cups_train.types import SceneFlow, StereoCamera

FIRST_LOSS = 16.0  # the first step's loss is that much wider: a fast object is an outlier to the motion it starts from
NEAR = 0.05  # q_z below this share of the depth at t counts as behind the camera


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Pixels with their measured ends; the leading axes are free, e.g. (N,) or (K, N)."""

    rays: np.ndarray  # (..., 3) float64
    inverse_depth: np.ndarray  # (...,) 1/m, 0 = no finite depth
    target: np.ndarray  # (..., 3) u, v, disparity at t+1 [px]
    sigma: np.ndarray  # (..., 3) px, measured noise of the target; infinite where unknown
    source_sigma: np.ndarray  # (...,) px, noise of the disparity at t

    def pick(self, index: np.ndarray) -> Correspondences:
        """Correspondences along their first axes; index: any that numpy takes, e.g. (M,) or (K, M)."""
        return Correspondences(
            *(a[index] for a in (self.rays, self.inverse_depth, self.target, self.sigma, self.source_sigma))
        )

    def with_floor(self, floor: np.ndarray) -> Correspondences:
        """The same samples with noise of at least `floor` (flow, disparity) [px] added in quadrature. floor: (2,)."""
        added = np.array([floor[0], floor[0], floor[1]])
        return Correspondences(
            self.rays,
            self.inverse_depth,
            self.target,
            np.hypot(self.sigma, added),
            np.hypot(self.source_sigma, floor[1]),
        )


def correspondences_at(flow: SceneFlow, camera: StereoCamera, where: np.ndarray) -> Correspondences:
    """Correspondences of the pixels in `where` (H, W) bool (flow must be valid there); unknown depth counts as none."""
    v, u = np.nonzero(where)
    end = flow.flow[where].astype(np.float64)
    target = np.stack([u + end[:, 0], v + end[:, 1], flow.disparity_next[where]], -1)
    sigma = np.repeat(flow.flow_sigma[where].astype(np.float64)[:, None], 3, 1)
    known = flow.disparity_next_ok[where] & flow.disparity_ok[where]
    sigma[:, 2], target[:, 2] = np.where(known, flow.disparity_sigma[where], np.inf), np.where(known, target[:, 2], 0)
    return Correspondences(
        rays(camera, u.astype(np.float64), v.astype(np.float64)),
        flow.disparity[where].astype(np.float64) / camera.depth_scale,
        target,
        sigma,
        flow.disparity_sigma[where].astype(np.float64),
    )


def predict(
    camera: StereoCamera, motion: np.ndarray, ray: np.ndarray, inverse_depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points go: motions (..., 4, 4), rays (..., N, 3), inverse depth (..., N) 1/m -> u, v, disparity (..., N, 3)
    [px] and their derivative by the disparity at t, (..., N, 3). NaN for points that end behind the camera."""
    q = ray @ np.swapaxes(motion[..., :3, :3], -1, -2) + inverse_depth[..., None] * motion[..., None, :3, 3]
    z = np.where(q[..., 2] > NEAR, q[..., 2], np.nan)
    t, scale = motion[..., None, :3, 3], camera.depth_scale
    out, slope = np.empty_like(q), np.empty_like(q)
    for axis, (focal, centre) in enumerate(((camera.fx, camera.cx), (camera.fy, camera.cy))):
        ratio = q[..., axis] / z
        out[..., axis] = focal * ratio + centre
        slope[..., axis] = focal / scale * (t[..., axis] - ratio * t[..., 2]) / z
    out[..., 2] = scale * inverse_depth / z
    slope[..., 2] = (1 - inverse_depth * t[..., 2] / z) / z
    return out, slope


def chi_square(camera: StereoCamera, motion: np.ndarray, samples: Correspondences) -> np.ndarray:
    """(..., N) squared Mahalanobis residual of samples under motions (..., 4, 4): noise of the target plus that of the
    disparity at t, carried through the prediction (Sherman-Morrison). Infinite for points that end behind the camera.
    Component by component: it runs on whole images."""
    m = motion[..., None]  # m[..., i, j, :] is an entry beside an axis for the samples
    x, y, w, scale = samples.rays[..., 0], samples.rays[..., 1], samples.inverse_depth, camera.depth_scale
    z = m[..., 2, 0, :] * x + m[..., 2, 1, :] * y + m[..., 2, 2, :] + m[..., 2, 3, :] * w
    behind = z <= NEAR
    z = np.where(behind, 1, z)
    plain: np.ndarray | float = 0.0
    along: np.ndarray | float = 0.0
    spread: np.ndarray | float = 0.0
    for axis, (focal, centre) in enumerate(((camera.fx, camera.cx), (camera.fy, camera.cy), (0.0, 0.0))):
        if axis < 2:
            ratio = (m[..., axis, 0, :] * x + m[..., axis, 1, :] * y + m[..., axis, 2, :] + m[..., axis, 3, :] * w) / z
            predicted = focal * ratio + centre
            slope = focal / scale * (m[..., axis, 3, :] - ratio * m[..., 2, 3, :]) / z
        else:
            predicted = scale * w / z
            slope = (1 - w * m[..., 2, 3, :] / z) / z
        weight = 1 / samples.sigma[..., axis] ** 2
        residual = samples.target[..., axis] - predicted
        weighted = weight * residual
        plain = plain + weighted * residual
        along = along + weighted * slope
        spread = spread + weight * slope * slope
    chi = plain - along**2 / (1 / np.maximum(samples.source_sigma, 1e-9) ** 2 + spread)
    return np.where(behind, np.inf, chi)


def fit(
    camera: StereoCamera, samples: Correspondences, base: np.ndarray, options: FitOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Robust own motions about `centre`, before the motion `base` (4, 4): samples (K, N) -> motions (K, 4, 4) T, the
    points move by base T, and the covariance (K, 6, 6) of (rotation about the centre, displacement of the centre).

    Iterated re-weighting with Cauchy weights of scale `loss` standard deviations, wider at first; a prior of
    `rotation_sigma` rad holds the rotation.
    """
    count = samples.rays.shape[0]
    centre = np.broadcast_to(options.centre, (count, 3)).astype(np.float64)
    omega, shift = np.zeros((count, 3)), np.zeros((count, 3))
    if options.start is not None:
        shift = shift + options.start
    prior = np.zeros(6)
    prior[:3] = 1 / options.rotation_sigma**2
    hessian = np.broadcast_to(np.eye(6), (count, 6, 6))
    for i in range(options.steps):
        linear = _linearise(camera, samples, base, _State(centre, omega, shift))
        jacobian, chi = linear.jacobian, linear.chi
        robust = 1 / (1 + chi / (options.loss * max(1.0, FIRST_LOSS / 4**i)) ** 2)
        robust = np.where(np.isfinite(chi), robust, 0)[..., None]
        weighted = (jacobian * robust[..., None]).reshape(count, -1, 6).swapaxes(-1, -2)
        hessian = weighted @ jacobian.reshape(count, -1, 6) + np.diag(prior + 1e-9)
        gradient = (weighted @ linear.residual.reshape(count, -1, 1))[..., 0]
        gradient[:, :3] -= prior[:3] * omega
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        omega, shift = omega + step[:, :3], shift + step[:, 3:]
    return _about(centre, omega, shift), np.linalg.inv(hessian)


@dataclass(frozen=True, eq=False)
class FitOptions:
    """How `fit` goes about it."""

    centre: np.ndarray  # (3,) or (K, 3) m
    rotation_sigma: float = 1e3  # rad
    loss: float = 2.0  # standard deviations
    steps: int = 6
    start: np.ndarray | None = None  # (K, 3) m, displacement to start from


def _about(centre: np.ndarray, omega: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """x -> centre + R (x - centre) + shift."""
    r = rotation(omega)
    return transform(r, centre + shift - (r @ centre[..., None])[..., 0])


@dataclass(frozen=True, eq=False)
class _State:
    """Where K fits stand."""

    centre: np.ndarray  # (K, 3) m
    omega: np.ndarray  # (K, 3) rad, rotation about the centre
    shift: np.ndarray  # (K, 3) m, displacement of the centre


@dataclass(frozen=True, eq=False)
class _Linear:
    """K fits of N samples around where they stand."""

    jacobian: np.ndarray  # (K, N, 3, 6) by (rotation, displacement), in standard deviations
    residual: np.ndarray  # (K, N, 3) standard deviations
    chi: np.ndarray  # (K, N) chi-square


def _linearise(camera: StereoCamera, samples: Correspondences, base: np.ndarray, state: _State) -> _Linear:
    """Correspondences (K, N) that move by `base` (4, 4) after their own motion."""
    centre, omega, shift = state.centre, state.omega, state.shift
    own = _about(centre, omega, shift)
    motion = base @ own
    predicted, slope = predict(camera, motion, samples.rays, samples.inverse_depth)
    seen = np.isfinite(predicted[..., 0])
    variance = samples.sigma**2 + (np.nan_to_num(slope) * samples.source_sigma[..., None]) ** 2
    weight = np.where(seen[..., None], 1 / np.sqrt(variance), 0)
    residual = np.where(weight > 0, samples.target - np.nan_to_num(predicted), 0) * weight
    w = samples.inverse_depth[..., None]
    moved = samples.rays @ np.swapaxes(own[..., :3, :3], -1, -2) + w * own[..., None, :3, 3]
    turn = base[:3, :3] @ -skew(moved - w * (centre + shift)[:, None])  # d q / d omega
    along = np.broadcast_to(base[:3, :3], turn.shape) * w[..., None]
    dq = np.concatenate([turn, along], -1)  # (K, N, 3, 6)
    q = samples.rays @ np.swapaxes(motion[..., :3, :3], -1, -2) + w * motion[..., None, :3, 3]
    z = np.where(seen, q[..., 2], 1)
    jacobian = np.empty_like(dq)
    for axis, focal in enumerate((camera.fx, camera.fy)):
        jacobian[..., axis, :] = (
            focal / z[..., None] * (dq[..., axis, :] - (q[..., axis] / z)[..., None] * dq[..., 2, :])
        )
    jacobian[..., 2, :] = -(camera.depth_scale * samples.inverse_depth / z**2)[..., None] * dq[..., 2, :]
    return _Linear(jacobian * weight[..., None], residual, np.where(seen, (residual**2).sum(-1), np.inf))
