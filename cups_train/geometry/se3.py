"""Rigid motions as 4x4 matrices; `x' = R x + t`."""

from __future__ import annotations

import numpy as np


def skew(w: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 3, 3) with skew(w) x = w cross x."""
    out = np.zeros((*w.shape[:-1], 3, 3), w.dtype)
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -w[..., 2], w[..., 1], -w[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = w[..., 2], -w[..., 1], w[..., 0]
    return out


def rotation(w: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) [rad] -> matrices (..., 3, 3) (Rodrigues)."""
    w = np.asarray(w, np.float64)
    angle = np.linalg.norm(w, axis=-1)[..., None, None]
    k = skew(w)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    return np.eye(3) + a * k + b * (k @ k)


def rotation_angle(r: np.ndarray) -> np.ndarray:
    """Angle [rad] of rotation matrices (..., 3, 3), guarded against rounding."""
    sine = (
        np.linalg.norm(
            np.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1),
            axis=-1,
        )
        / 2
    )
    return np.arctan2(sine, (np.trace(r, axis1=-2, axis2=-1) - 1) / 2)


def transform(r: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(..., 3, 3) and (..., 3) -> (..., 4, 4)."""
    out = np.zeros((*t.shape[:-1], 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = r, t, 1
    return out


def inverse(m: np.ndarray) -> np.ndarray:
    """Inverse of rigid motions (..., 4, 4)."""
    r = np.swapaxes(m[..., :3, :3], -1, -2)
    return transform(r, -(r @ m[..., :3, 3:])[..., 0])


def apply(m: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move points (..., 3) by one rigid motion (4, 4)."""
    return points @ m[:3, :3].T + m[:3, 3]


def fit_points(a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Least-squares rigid motion (..., 4, 4) that takes points a to b, both (..., N, 3); weights (..., N) (Kabsch)."""
    w = np.ones(a.shape[:-1]) if weights is None else weights
    w = (w / np.maximum(w.sum(-1, keepdims=True), 1e-12))[..., None]
    mean_a, mean_b = (w * a).sum(-2, keepdims=True), (w * b).sum(-2, keepdims=True)
    u, _, vt = np.linalg.svd(np.swapaxes(w * (b - mean_b), -1, -2) @ (a - mean_a))
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    r = u @ vt
    return transform(r, (mean_b - mean_a @ np.swapaxes(r, -1, -2))[..., 0, :])
