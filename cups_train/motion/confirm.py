"""What the frame before says of an object: did its points come from where its motion, run backwards, takes them?"""

from __future__ import annotations

import numpy as np

from cups_train.geometry.se3 import inverse
from cups_train.motion.ego import estimate_ego
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.motion.time_step import Before
from cups_train.types import StereoCamera

MOVED = 8.0  # chi-square from which a pixel contradicts the static scene
BETTER = 0.5  # the object's motion must bring it below this share
MEASURED = 0.3  # least share of the pixels with valid flow to t-1; what was hidden there says nothing
FEWEST = 12  # pixels
FOLLOWS = 0.4  # least share of them that must follow the object


def evidence_before(
    before: Before, camera: StereoCamera, limits: tuple[float, float], rng: np.random.Generator
) -> Evidence | None:
    """Chi-square and so on of the pair (t, t-1); None without an ego-motion. `limits`: largest depth [m] and smallest
    surface [m2]."""
    ego = estimate_ego(before.flow, camera, rng)
    return (
        None
        if ego is None
        else gather(before.flow, camera, ego, None, scales_of(before.flow, camera, before.step_s, *limits))
    )


def refutes(evidence: Evidence, own: np.ndarray, mask: np.ndarray) -> bool:
    """Do the pixels of a mask (H, W) bool come from elsewhere than their motion `own` (4, 4) from t to t+1 says, if it
    runs on?

    `evidence`: of t to t-1, as long a step. Where too little of the mask is measured nothing is refuted.
    """
    static = evidence.chi[mask]
    known = ~np.isnan(static)
    if known.sum() < max(MEASURED * len(static), FEWEST):
        return False
    follows = (evidence.chi_at(inverse(own), mask) < BETTER * static) & (static > MOVED)
    return bool(follows[known].mean() < FOLLOWS)
