"""From frozen features to a network that names classes: clusters of the features, STEGO, DepthG, or a published head as it is."""
from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cups_train.config import SemanticsConfig
from cups_train.errors import ModelError
from cups_train.semantics.describe import encode_frames, fit_scaler, sample_cells
from cups_train.semantics.encoder import Encoder
from cups_train.semantics.features import DescribedFeatures, FeatureNetwork, ScratchFeatures
from cups_train.semantics.head.correspondence import REFERENCE_SHIFTS, Shifts
from cups_train.semantics.head.crops import write_dense
from cups_train.semantics.head.distillation import DESCRIBED_ATTRACT, DESCRIBED_WEIGHTS, Distillation
from cups_train.semantics.head.network import HeadNetwork, HeadSpec
from cups_train.semantics.head.training import HeadSettings, linear_head, new_head, train_head, with_classes
from cups_train.semantics.merging import clusters_for
from cups_train.types import StereoCamera

logger = logging.getLogger(__name__)
SAMPLES = 60_000  # cells that the description is standardised on


def learn_head(features: FeatureNetwork, frames: Sequence[Path], cameras: Sequence[StereoCamera], state: Path, config: SemanticsConfig,
               seed: int) -> HeadNetwork:
    """A head on `features`, which stay as they are. A stopped training goes on from STATE/head.pt.

    STEGO and DepthG on an encoder of the recordings' own see all that is known of a cell.

    frames: prepared, each with its recording's camera.
    """
    features.eval().requires_grad_(False)
    if isinstance(features, ScratchFeatures) and config.head != "clusters":
        features = described(features.encoder, frames, seed)
    dense = write_dense(features, frames, cameras)
    settings = _settings(config)
    network = new_head(features, dense, settings, seed)
    if config.head == "clusters":
        return linear_head(network, dense, seed)
    return train_head(network, dense, state, _distillation(features, config), settings, seed)


def described(encoder: Encoder, frames: Sequence[Path], seed: int) -> DescribedFeatures:
    """All that is known of a cell, standardised on the prepared frames."""
    projection = encode_frames(encoder, frames)
    rows = sample_cells(frames, projection, SAMPLES, np.random.default_rng([seed, 4]))
    return DescribedFeatures.of(encoder, projection, fit_scaler(rows, projection)).eval().requires_grad_(False)


def with_other_classes(trained: HeadNetwork, frames: Sequence[Path], cameras: Sequence[StereoCamera], config: SemanticsConfig,
                       seed: int) -> HeadNetwork:
    """A trained head with config.classes instead; frames and cameras as in `learn_head`."""
    return with_classes(trained, write_dense(trained.features, frames, cameras), _settings(config), seed, config.compat == "reference")


def check_published(head: dict[str, Tensor], classes: int) -> None:
    """Raises ModelError where a checkpoint has no head of STEGO's form, or one with another number of classes."""
    if not head:
        raise ModelError("expected a STEGO or DepthG checkpoint for semantics.head=published, found weights without a head (semantics.weights)")
    count = len(head["centres"])
    if count != classes:
        raise ModelError(f"expected {classes} classes in the published head, found {count}; set -o semantics.classes={count}")


def published_head(features: FeatureNetwork, head: dict[str, Tensor]) -> HeadNetwork:
    """The head and the classes of a STEGO/DepthG checkpoint as they are."""
    count, code = head["centres"].shape
    network = HeadNetwork(HeadSpec(features.to_json(), 0, code, count, count), features)
    network.head.load_state_dict({name: value for name, value in head.items() if name != "centres"})
    with torch.no_grad():
        network.centres.copy_(head["centres"])
    return network.to(next(features.parameters()).device).eval()


def _settings(config: SemanticsConfig) -> HeadSettings:
    """Few classes are joined from more centres, but for the published probe."""
    joined = 0 if config.compat == "reference" else clusters_for(config.classes) - config.classes
    return HeadSettings(config.classes, max(config.extra_centres, joined), config.code, config.head_steps, config.head_lr)


def _distillation(features: FeatureNetwork, config: SemanticsConfig) -> Distillation:
    how = Distillation(config.head_batch, config.head == "depthg", config.compat == "reference", shifts=_given_shifts(config))
    if not isinstance(features, DescribedFeatures) or how.reference:
        return how
    return replace(how, weights=DESCRIBED_WEIGHTS, attract=DESCRIBED_ATTRACT)


def _given_shifts(config: SemanticsConfig) -> Shifts | None:
    return None if config.shifts is None else Shifts(*config.shifts, depth=REFERENCE_SHIFTS.depth)
