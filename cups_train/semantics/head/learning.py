"""From frozen features to a network that names classes: clusters of the features, STEGO, DepthG."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cups_train.config.semantics import SemanticsConfig
from cups_train.network.encoder import Encoder
from cups_train.semantics.descriptors import encode_frames, fit_scaler, sample_descriptors
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.network import FeatureNetwork, ScratchFeatures
from cups_train.semantics.head.classes import HeadSettings, with_classes
from cups_train.semantics.head.correspondence import Shifts, Weights
from cups_train.semantics.head.crops import write_dense
from cups_train.semantics.head.distillation import ATTRACT, DESCRIBED_ATTRACT, DESCRIBED_WEIGHTS, Distillation
from cups_train.semantics.head.network import HeadNetwork
from cups_train.semantics.head.training import train_head
from cups_train.semantics.head.untrained import linear_head, new_head
from cups_train.semantics.prepared import PreparedFrames

logger = logging.getLogger(__name__)
SAMPLES = 60_000  # cells that descriptors are standardised on


def learn_head(
    features: FeatureNetwork, frames: PreparedFrames, state: Path, config: SemanticsConfig, seed: int
) -> HeadNetwork:
    """A head on `features`, which stay as they are. A stopped training goes on from STATE/head.

    STEGO and DepthG on an encoder of the recordings' own see the whole descriptors.
    """
    features.eval().requires_grad_(False)
    if isinstance(features, ScratchFeatures) and config.head != "clusters":
        features = described(features.encoder, frames.paths, seed)
    dense = write_dense(features, frames)
    settings = head_settings(config)
    network = new_head(features, dense, settings, seed)
    if config.head == "clusters":
        return linear_head(network, dense, settings, seed)
    return train_head(network, dense, state, distillation_of(features, config), settings, seed)


def described(encoder: Encoder, frames: Sequence[Path], seed: int) -> DescribedFeatures:
    """Descriptors as features, standardised on the prepared frames."""
    projection = encode_frames(encoder, frames)
    rows = sample_descriptors(frames, projection, SAMPLES, np.random.default_rng([seed, 4]))
    return DescribedFeatures.of(encoder, projection, fit_scaler(rows, projection)).eval().requires_grad_(False)


def with_other_classes(trained: HeadNetwork, frames: PreparedFrames, config: SemanticsConfig, seed: int) -> HeadNetwork:
    """A trained head with config.clusters instead."""
    return with_classes(trained, write_dense(trained.features, frames), head_settings(config), seed)


def head_settings(config: SemanticsConfig) -> HeadSettings:
    return HeadSettings(config.clusters, config.code, config.head_steps, config.head_lr, config.sharpness)


def distillation_of(features: FeatureNetwork, config: SemanticsConfig) -> Distillation:
    weights, attract = (
        (DESCRIBED_WEIGHTS, DESCRIBED_ATTRACT) if isinstance(features, DescribedFeatures) else (Weights(), ATTRACT)
    )
    depth = config.head == "depthg"
    return Distillation(
        config.head_batch,
        config.depth_term if depth else None,
        config.spots if depth else "random",
        weights if config.term_weights is None else Weights(*config.term_weights),
        None if config.shifts is None else Shifts(*config.shifts),
        attract,
    )
