"""The camera's own motion: the rigid motion that explains most of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.motion.rigid_fit import Correspondences, FitOptions, chi_square, correspondences_at, fit, predict
from cups_train.types import SceneFlow, StereoCamera

TRIES = 120
MEMBERS = 5
GRID = 7 / 640  # distance of samples, share of the width
BLOCKS = (4, 8)  # of the picture: a dense near object must not outvote a wide scene
LOOSE_PX = 1.0  # noise in the random search
ROUGH_PX = 2.0  # noise of what follows a prior
TRUST = 3.0  # how much worse than the best motion of the picture a prior may fit
MIN_SAMPLES = 60
MIN_INLIERS = 0.2


@dataclass(frozen=True, eq=False)
class Ego:
    """Motion of static points from t to t+1 in the camera's frames, and the noise of what follows it."""

    motion: np.ndarray  # (4, 4): x_t+1 = motion x_t
    noise: np.ndarray  # (2,) px, of flow and disparity, on top of what the measurement claims


def estimate_ego(
    flow: SceneFlow, camera: StereoCamera, rng: np.random.Generator, prior: np.ndarray | None = None
) -> Ego | None:
    """Robust ego-motion; standing still and pure rotation are no special cases. None where too little of the picture
    agrees.

    `prior`: (4, 4) m, motion of static points as the vehicle itself tells it (x_t+1 = prior x_t). It is preferred as
    the start where the picture does not clearly speak against it, so that a bus that fills the view is not taken for
    the scene; the result is always fitted to the picture.
    """
    height, width = flow.disparity.shape
    step = max(2, round(GRID * width))
    grid = np.zeros((height, width), bool)
    grid[step // 2 :: step, step // 2 :: step] = True
    where = grid & flow.flow_ok & flow.disparity_ok
    if where.sum() < MIN_SAMPLES:
        return None
    samples = correspondences_at(flow, camera, where)
    motion = _search(camera, samples.with_floor(np.array([LOOSE_PX, LOOSE_PX / 2])), _block_weights(where), rng, prior)
    noise = np.array([0.3, 0.3])
    for _ in range(2):
        noisy = samples.with_floor(noise)
        inlier = chi_square(camera, motion, noisy) < 30
        if inlier.sum() < MIN_SAMPLES or inlier.mean() < MIN_INLIERS:
            return None
        own, _ = fit(camera, _batch(noisy.pick(inlier)), motion, FitOptions(np.zeros(3)))
        motion = motion @ own[0]
        noise = _noise(camera, motion, samples, inlier)
    return Ego(motion, noise)


def _search(
    camera: StereoCamera,
    samples: Correspondences,
    weight: np.ndarray,
    rng: np.random.Generator,
    prior: np.ndarray | None,
) -> np.ndarray:
    """Random sets of a few samples, a motion from each, and the one with the best robust fit to all, or the prior.

    weight: (N,) of the samples; prior: (4, 4) -> (4, 4).
    """
    sets = samples.pick(rng.integers(0, len(weight), (TRIES, MEMBERS)))
    still = np.eye(4)
    motions, _ = fit(camera, sets, still, FitOptions(np.zeros(3), rotation_sigma=0.2, loss=1e3, steps=5))
    motions = np.concatenate([still[None], motions[np.isfinite(motions).all((1, 2))]])
    cost = _cost(camera, motions, samples, weight)
    best = motions[cost.argmin()]
    if prior is None:
        return best
    # of a few degrees or decimetres the prior may be off: it is fitted to what roughly follows it before the two are
    # compared
    rough = samples.with_floor(np.array([ROUGH_PX, ROUGH_PX / 2]))
    near = chi_square(camera, prior, rough) < 9
    if near.sum() < MIN_SAMPLES:
        return best
    own, _ = fit(camera, _batch(rough.pick(near)), prior, FitOptions(np.zeros(3), steps=8))
    start = prior @ own[0]
    return (
        start
        if np.isfinite(start).all() and _cost(camera, start[None], samples, weight)[0] < TRUST * cost.min()
        else best
    )


def _cost(camera: StereoCamera, motions: np.ndarray, samples: Correspondences, weight: np.ndarray) -> np.ndarray:
    """(K,) truncated chi-square of all samples under motions (K, 4, 4)."""
    chi = chi_square(camera, motions, samples.pick(np.arange(len(weight))[None]))
    return np.asarray(np.minimum(chi, 16) @ weight)


def _block_weights(where: np.ndarray) -> np.ndarray:
    """One over the root of the number of samples in the same block of the picture. (H, W) bool -> (N,), N of them
    True."""
    v, u = np.nonzero(where)
    block = v * BLOCKS[0] // where.shape[0] * BLOCKS[1] + u * BLOCKS[1] // where.shape[1]
    count = np.bincount(block, minlength=BLOCKS[0] * BLOCKS[1])
    return 1 / np.sqrt(count[block])


def _batch(samples: Correspondences) -> Correspondences:
    return samples.pick(np.arange(len(samples.rays))[None])


def _noise(camera: StereoCamera, motion: np.ndarray, samples: Correspondences, inlier: np.ndarray) -> np.ndarray:
    """Robust spread of the inliers' residuals beyond what their sigmas claim. motion: (4, 4); inlier: (N,) bool -> (2,)
    px."""
    predicted, slope = predict(camera, motion, samples.rays, samples.inverse_depth)
    residual = np.abs(samples.target - predicted)[inlier]
    claimed = np.sqrt(samples.sigma**2 + (slope * samples.source_sigma[:, None]) ** 2)[inlier]
    out = []
    for axes in ([0, 1], [2]):
        known = np.isfinite(claimed[:, axes]) & np.isfinite(residual[:, axes])
        spread = 1.4826 * np.median(residual[:, axes][known]) if known.any() else 0.3
        base = np.median(claimed[:, axes][known]) if known.any() else 0.0
        out.append(np.sqrt(max(spread**2 - base**2, 0.0)))
    return np.array(out)
