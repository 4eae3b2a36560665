"""The cluster probe of a head: its centres, and how sharp its probabilities are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cups_train.semantics.head.agreement import Variants, agreement
from cups_train.semantics.head.crops import DenseFrame
from cups_train.semantics.head.network import HeadNetwork
from cups_train.semantics.head.probe import calibrated_sharpness, fit_probe, unit

SAMPLES = 30_000  # cells whose codes the probe is fitted on


@dataclass(frozen=True)
class HeadSettings:
    """Sizes and steps of a head."""

    classes: int  # K clusters
    code: int
    steps: int
    lr: float
    sharpness: float | None = None  # factor of the cosines; none: as sharp as the mirrored pictures agree


def with_classes(trained: HeadNetwork, dense: Sequence[DenseFrame], settings: HeadSettings, seed: int) -> HeadNetwork:
    """The same code with a probe of another number of clusters: the code's training does not depend on it."""
    network = HeadNetwork(replace(trained.spec, classes=settings.classes), trained.features)
    network.adapt.load_state_dict(trained.adapt.state_dict())
    network.head.load_state_dict(trained.head.state_dict())
    network = network.to(trained.centres.device).eval()
    network.centres.copy_(torch.from_numpy(fit_centres(network, dense, seed)))
    set_sharpness(network, dense, settings, seed)
    return network


def fit_centres(network: HeadNetwork, dense: Sequence[DenseFrame], seed: int) -> np.ndarray:
    """(K, D) of the cluster probe."""
    return fit_probe(
        sample_codes(network, dense, SAMPLES, np.random.default_rng([seed, 6])),
        network.spec.classes,
        np.random.default_rng([seed, 8]),
    )


def set_sharpness(
    network: HeadNetwork,
    dense: Sequence[DenseFrame],
    settings: HeadSettings,
    seed: int,
    variants: Variants | None = None,
) -> None:
    """Make probabilities as sharp as the most likely cluster is found again in the mirror image.

    variants: of `dense`, where they are at hand.
    """
    sharpness = settings.sharpness
    if sharpness is None:
        centres = network.centres.cpu().numpy()
        cosine = unit(sample_codes(network, dense, SAMPLES, np.random.default_rng([seed, 7]))) @ centres.T
        variants = Variants.of(network.features, dense) if variants is None else variants
        found = agreement(variants, lambda maps: nearest_centre(network, maps, centres), len(centres))
        sharpness = calibrated_sharpness(cosine, found.same)
    network.spec = replace(network.spec, sharpness=sharpness)


def sample_codes(network: HeadNetwork, dense: Sequence[DenseFrame], most: int, rng: np.random.Generator) -> np.ndarray:
    """(N, D) codes of cells drawn evenly from all frames."""
    rows = []
    for frame in dense:
        maps = frame.features()
        cells = maps.reshape(len(maps), -1)
        chosen = np.sort(rng.choice(cells.shape[1], min(cells.shape[1], max(1, most // len(dense))), replace=False))
        rows.append(np.asarray(cells[:, chosen], np.float32))
    return codes_of(network, np.concatenate(rows, 1)).T


def codes_of(network: HeadNetwork, features: np.ndarray) -> np.ndarray:
    """(C, ...) float32 features of cells -> (code, ...)."""
    with torch.inference_mode():
        cells = torch.from_numpy(features.reshape(len(features), -1)).to(network.centres.device)[None, :, :, None]
        code = network.head(network.adapt(cells))[0, :, :, 0].cpu().numpy()
    return code.reshape(-1, *features.shape[1:])


def nearest_centre(network: HeadNetwork, features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(C, h, w) features, (K, code) centres -> (h, w) index of the nearest one."""
    return np.tensordot(centres, codes_of(network, features), 1).argmax(0)
