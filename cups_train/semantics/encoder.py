"""The small encoder: strides 4 to 32 with a top-down path, dense features at 1/4, heads for shape and classes."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (48, 80, 128, 160)  # channels at strides 4, 8, 16, 32


@dataclass(frozen=True)
class EncoderSpec:
    """What is needed to build an encoder again."""

    channels: int  # of the dense features
    classes: int  # K
    shape: int  # shape channels that are regressed

    def to_json(self) -> dict[str, int]:
        return asdict(self)


class EncoderOutput(NamedTuple):
    features: Tensor  # (B, channels, h/4, w/4)
    shape: Tensor  # (B, shape, h/4, w/4) standardised shape channels
    moving: Tensor  # (B, h/4, w/4) logit: part of an object that moves
    logits: Tensor  # (B, K, h/4, w/4)


class Encoder(nn.Module):
    """Images (B, 3, h, w) 0..1 and rows (B, 1, h, w) in -1..1, h and w multiples of 32 -> EncoderOutput."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.stem = nn.Sequential(_convolution(4, 24, 2), _convolution(24, WIDTHS[0], 2))
        inputs = (WIDTHS[0], *WIDTHS[:-1])
        self.stages = nn.ModuleList(nn.Sequential(_Block(a, b, 1 if i == 0 else 2), *([_Block(b, b, 1)] if i < 3 else []))
                                    for i, (a, b) in enumerate(zip(inputs, WIDTHS, strict=True)))
        self.lateral = nn.ModuleList(nn.Conv2d(width, spec.channels, 1) for width in WIDTHS)
        self.merge = nn.ModuleList(_convolution(spec.channels, spec.channels, 1) for _ in WIDTHS[:-1])
        self.to_shape = nn.Conv2d(spec.channels, spec.shape, 1)
        self.to_moving = nn.Conv2d(spec.channels, 1, 1)
        self.to_contrast = nn.Sequential(nn.Conv2d(spec.channels, spec.channels, 1), nn.ReLU(), nn.Conv2d(spec.channels, 32, 1))
        self.to_classes = nn.Sequential(_convolution(spec.channels, spec.channels, 1), nn.Conv2d(spec.channels, spec.classes, 1))
        self.register_buffer("image_mean", torch.tensor([0.45, 0.45, 0.45]).view(1, 3, 1, 1))
        self.register_buffer("image_scale", torch.tensor([0.25, 0.25, 0.25]).view(1, 3, 1, 1))

    def features(self, images: Tensor, rows: Tensor) -> Tensor:
        """(B, 3, h, w) and (B, 1, h, w) -> (B, channels, h/4, w/4)."""
        x = self.stem(torch.cat([(images - self.image_mean) / self.image_scale, rows], 1))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        x = self.lateral[-1](levels[-1])
        for level in (2, 1, 0):
            x = functional.interpolate(x, size=levels[level].shape[-2:], mode="nearest")
            x = self.merge[level](x + self.lateral[level](levels[level]))
        return x

    def forward(self, images: Tensor, rows: Tensor) -> EncoderOutput:
        """(B, 3, h, w) 0..1 and (B, 1, h, w) -1..1."""
        features = self.features(images, rows)
        return EncoderOutput(features, self.to_shape(features), self.to_moving(features)[:, 0], self.to_classes(features))


def encode(encoder: Encoder, images: np.ndarray, rows: np.ndarray | None = None, *more: Tensor) -> EncoderOutput:
    """(N, h, w, 3) uint8 RGB, and their rows (N, h) in -1..1 where they are parts of larger images, without gradient.

    more: what else the network takes, on any device.
    """
    count, height, width = images.shape[:3]
    rows = np.broadcast_to(np.linspace(-1, 1, height, dtype=np.float32), (count, height)) if rows is None else rows
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(device).float() / 255
        row = torch.from_numpy(rows.copy()).to(device)[:, None, :, None].expand(-1, 1, -1, width)
        return encoder(pixels.contiguous(memory_format=torch.channels_last), row, *(planes.to(device) for planes in more))


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.short(x))
