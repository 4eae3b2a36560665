"""The cluster probe and how good it is without labels."""

from __future__ import annotations

import numpy as np

from cups_train.semantics.clusters import kmeans

SHARPEST = (1.0, 200.0)  # range of the factor between cosine and logit


def fit_probe(codes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(N, D) -> (count, D) unit centres that maximise the mean cosine of a code and its centre, largest cluster first.

    That is STEGO's probe loss, solved as k-means on the sphere from a k-means++ start: no dead clusters.
    """
    centres = kmeans(unit(codes), count, rng)[0]
    return unit(centres)


def unit(rows: np.ndarray) -> np.ndarray:
    """(N, C) -> (N, C) float32 of length 1."""
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def mutual_information(a: np.ndarray, b: np.ndarray, count: int) -> float:
    """Nats that the classes of a cell in one view tell of its class in another: high where the views agree and the
    classes are used evenly.

    a, b: (N,) classes 0..count-1 of the same cells.
    """
    joint = np.bincount(a * count + b, minlength=count * count).reshape(count, count) / max(len(a), 1)
    independent = joint.sum(1)[:, None] * joint.sum(0)[None]
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())


def calibrated_sharpness(cosine: np.ndarray, agreement: float) -> float:
    """The factor of the cosines (N, K) at which the most likely cluster has the mean probability `agreement`, between
    SHARPEST's ends."""
    low, high = SHARPEST
    for _ in range(24):
        middle = float(np.sqrt(low * high))
        likely = np.exp(middle * (cosine - cosine.max(1, keepdims=True)))
        most = float((likely.max(1) / likely.sum(1)).mean())
        low, high = (middle, high) if most < agreement else (low, middle)
    return round(float(np.sqrt(low * high)), 3)
