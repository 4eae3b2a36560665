"""The STEGO head on frozen features and its cluster probe: one network from an image to class logits, of the encoder's
form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_train.semantics.channels import CELL
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.network import FeatureNetwork, build_features

SHARPNESS = 2.0  # alpha: logits are alpha times the cosine of code and centre (STEGO)


@dataclass(frozen=True)
class HeadSpec:
    """What is needed to build a headed network again."""

    features: dict[str, Any]  # card of the frozen features
    adapted: int  # channels behind the fixed linear map of the features; 0: they are taken as they are
    code: int  # channels of the code
    classes: int  # K clusters, one centre of the probe each
    sharpness: float = SHARPNESS

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class HeadOutput(NamedTuple):
    logits: Tensor  # (B, K, h/4, w/4) log-probabilities of the clusters


class Head(nn.Module):
    """Features (B, C, h, w) -> code (B, code, h, w): a linear map beside a two-layer one, 1 x 1 all (STEGO)."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, code, 1)
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.nonlinear = nn.Conv2d(channels, code, 1)

    def forward(self, features: Tensor, dropped: Tensor | None = None) -> Tensor:
        """(B, C, h, w) -> (B, code, h, w). dropped: a second draw of the features for the two-layer part, in
        training."""
        other = features if dropped is None else dropped
        return self.linear(features) + self.nonlinear(functional.relu(self.hidden(other)))


class HeadNetwork(nn.Module):
    """Images (B, 3, h, w) 0..1, rows (B, 1, h, w) in -1..1, and shape channels (B, SHAPE, h/4, w/4) where it sees them
    -> HeadOutput."""

    def __init__(self, spec: HeadSpec, features: FeatureNetwork | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.features = (build_features(spec.features) if features is None else features).requires_grad_(False)
        channels = spec.adapted or self.features.channels
        self.adapt = (
            nn.Conv2d(self.features.channels, channels, 1).requires_grad_(False) if spec.adapted else nn.Identity()
        )
        self.head = Head(channels, spec.code)
        self.register_buffer("centres", torch.zeros(spec.classes, spec.code))

    @property
    def sees_shape(self) -> bool:
        return isinstance(self.features, DescribedFeatures)

    def forward(self, images: Tensor, rows: Tensor, *shape: Tensor) -> HeadOutput:
        """(B, 3, h, w), (B, 1, h, w). Shape channels (B, SHAPE, h/4, w/4) are taken by a network that `sees_shape`,
        which does without them, too."""
        code = self.head(self.adapt(self.features(images, rows, *shape)))
        size = images.shape[-2] // CELL, images.shape[-1] // CELL
        if code.shape[-2:] != size:
            code = functional.interpolate(code, size, mode="bilinear", align_corners=False)
        return HeadOutput(self.log_probability(code))

    def log_probability(self, code: Tensor) -> Tensor:
        """(B, code, h, w) -> (B, K, h, w)."""
        cosine = functional.conv2d(functional.normalize(code), functional.normalize(self.centres)[..., None, None])
        return functional.log_softmax(self.spec.sharpness * cosine, 1)
