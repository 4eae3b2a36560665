"""Descriptors as dense features: hand-made image channels, the scene's shape, and what an encoder learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cups_train.geometry.resize import resize
from cups_train.network.encoder import Encoder
from cups_train.semantics.channels import image_channels
from cups_train.semantics.clusters import Scaler
from cups_train.semantics.descriptors import LEARNED, Projection, descriptors
from cups_train.semantics.guess import guessed_shape
from cups_train.types import ChannelGroup

# factors of the groups' variances, where they are not as in `descriptors`
SHARES: Mapping[str, float] = {"raised": 2.0, "top": 2.0}


class DescribedFeatures(nn.Module):
    """Descriptors without the moving logit, standardised; where the shape is not known, what the encoder takes it to
    be."""

    def __init__(self, encoder: Encoder, averaging: int) -> None:
        super().__init__()
        self.encoder, self.averaging = encoder, averaging
        channels = encoder.spec.channels
        kept = min(LEARNED, channels)
        self.groups = Projection(np.zeros(channels), np.zeros((kept, channels)), False).groups
        self.channels = sum(group.channels for group in self.groups)
        for name, size in (
            ("learned_mean", (channels,)),
            ("axes", (kept, channels)),
            ("mean", (self.channels,)),
            ("scale", (self.channels,)),
        ):
            self.register_buffer(name, torch.zeros(size))

    @classmethod
    def of(cls, encoder: Encoder, projection: Projection, scaler: Scaler) -> DescribedFeatures:
        """scaler: of descriptors."""
        network = cls(encoder, projection.averaging)
        arrays = {
            "learned_mean": projection.mean,
            "axes": projection.axes,
            "mean": scaler.mean[: network.channels],
            "scale": scaler.scale[: network.channels] * factors_of(network.groups),
        }
        with torch.no_grad():
            for name, array in arrays.items():
                getattr(network, name).copy_(torch.from_numpy(array))
        return network.to(next(encoder.parameters()).device)

    def forward(self, images: Tensor, rows: Tensor, shape: Tensor | None = None) -> Tensor:
        """(B, 3, h, w) RGB 0..1, rows (B, 1, h, w) -1..1 and the shape channels (B, SHAPE, h/4, w/4) or none -> (B,
        channels, h/4, w/4)."""
        out = self.encoder(images, rows)
        planes = torch.cat([out.features, out.moving[:, None]], 1).cpu().numpy()
        known = Scaler(self.mean.cpu().numpy(), self.scale.cpu().numpy() / factors_of(self.groups))
        shapes = (
            [guessed_shape(of_one, known) for of_one in out.shape.cpu().numpy()]
            if shape is None
            else shape.cpu().numpy()
        )
        projection = Projection(self.learned_mean.cpu().numpy(), self.axes.cpu().numpy(), False, self.averaging)
        joined = np.stack(
            [
                descriptors(*of_one, projection)
                for of_one in zip(_image_channels(images, rows), shapes, planes, strict=True)
            ]
        )
        return (torch.from_numpy(joined).to(images) - self.mean[:, None, None]) * self.scale[:, None, None]

    def to_json(self) -> dict[str, Any]:
        return {"kind": "described", "spec": self.encoder.spec.to_json(), "averaging": self.averaging}


def factors_of(groups: Sequence[ChannelGroup]) -> np.ndarray:
    """(C,) roots of SHARES, one a channel."""
    return np.concatenate(
        [np.full(group.channels, np.sqrt(SHARES.get(group.name, 1.0)), np.float32) for group in groups]
    )


def _image_channels(images: Tensor, rows: Tensor) -> list[np.ndarray]:
    """(B, 3, h, w) RGB 0..1 -> hand-made channels (29, h/4, w/4) of each; rows: (B, 1, h, w), of the whole image that
    it may be a part of."""
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    found = [image_channels(np.ascontiguousarray(image)) for image in pixels]
    for planes, row in zip(found, rows[:, 0].cpu().numpy(), strict=True):
        planes[-1] = resize(row, *planes.shape[1:])
    return found
