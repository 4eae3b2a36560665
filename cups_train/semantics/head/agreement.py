"""How much the classes of one variant of a picture tell of those of another: which checkpoint is best, without
labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cups_train.geometry.resize import resize
from cups_train.picks import evenly_spaced
from cups_train.semantics.features.network import FeatureNetwork
from cups_train.semantics.head.crops import DenseFrame, dense_features
from cups_train.semantics.head.probe import mutual_information
from cups_train.semantics.prepared import load

FRAMES = 16  # that are looked at
ZOOM = 1.5

Classify = Callable[[np.ndarray], np.ndarray]  # (C, h, w) features -> (h, w) classes


@dataclass(frozen=True, eq=False)
class Variants:
    """Features of some frames, of their mirror images, and of their enlarged middle."""

    plain: tuple[np.ndarray, ...]  # (C, h, w) float16
    mirrored: tuple[np.ndarray, ...]  # (C, h, w) float16
    zoomed: tuple[np.ndarray, ...]  # (C, h, w) float16

    @classmethod
    def of(cls, network: FeatureNetwork, dense: Sequence[DenseFrame]) -> Variants:
        chosen = [dense[i] for i in evenly_spaced(len(dense), FRAMES)]
        loaded = [load(frame.path) for frame in chosen]
        seen = [(frame.images[0], frame.shape.astype(np.float32)) for frame in loaded]
        return cls(
            tuple(np.asarray(frame.features()) for frame in chosen),
            tuple(
                dense_features(network, image[:, ::-1], shape[:, :, ::-1]).astype(np.float16) for image, shape in seen
            ),
            tuple(
                dense_features(network, middle(image), np.stack([middle(plane) for plane in shape])).astype(np.float16)
                for image, shape in seen
            ),
        )


@dataclass(frozen=True)
class Agreement:
    """How well classes agree over the variants."""

    # nats: mean mutual information of the plain picture's classes with the mirrored and with the enlarged one's
    information: float
    same: float  # share of cells that the mirrored picture gives the same class


def middle(image: np.ndarray) -> np.ndarray:
    """The middle of an image (h, w, 3) or a plane (h, w), 1 / ZOOM of each side, at its size."""
    height, width = image.shape[:2]
    h, w = round(height / ZOOM), round(width / ZOOM)
    top, left = (height - h) // 2, (width - w) // 2
    return resize(np.ascontiguousarray(image[top : top + h, left : left + w]), height, width)


def agreement(variants: Variants, classify: Classify, classes: int) -> Agreement:
    plain, mirrored, zoomed, seen = [], [], [], []
    for a, b, c in zip(variants.plain, variants.mirrored, variants.zoomed, strict=True):
        here = classify(a.astype(np.float32))
        plain.append(here.ravel())
        mirrored.append(classify(b.astype(np.float32))[:, ::-1].ravel())
        height, width = here.shape
        h, w = round(height / ZOOM), round(width / ZOOM)
        top, left = (height - h) // 2, (width - w) // 2
        seen.append(here[top : top + h, left : left + w].ravel())
        zoomed.append(
            cv2.resize(classify(c.astype(np.float32)).astype(np.int32), (w, h), interpolation=cv2.INTER_NEAREST).ravel()
        )
    here, there = np.concatenate(plain), np.concatenate(mirrored)
    with_zoomed = mutual_information(np.concatenate(seen), np.concatenate(zoomed), classes)
    return Agreement(0.5 * (mutual_information(here, there, classes) + with_zoomed), float((here == there).mean()))
