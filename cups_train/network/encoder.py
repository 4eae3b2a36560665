"""The small encoder: strides 4 to 32 with a top-down path, dense features at 1/4, heads for shape and classes.

Stage 1b trains it on the recordings; the network of stages 2 and 3 has the same pyramid and starts from its weights
(`network.backbone: own`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (48, 80, 128, 160)  # channels at strides 4, 8, 16, 32
BLOCKS = (2, 2, 2, 1)  # at these strides
STEM = 24  # channels at stride 2 at least


@dataclass(frozen=True)
class EncoderSpec:
    """What is needed to build an encoder again."""

    channels: int  # of the dense features
    classes: int  # K
    shape: int  # shape channels that are regressed
    widths: tuple[int, ...] = WIDTHS
    blocks: tuple[int, ...] = BLOCKS

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> EncoderSpec:
        """Raises TypeError where keys are missing or unknown."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in tree.items()
        }
        return cls(**values)


class EncoderOutput(NamedTuple):
    features: Tensor  # (B, channels, h/4, w/4)
    shape: Tensor  # (B, shape, h/4, w/4) standardised shape channels
    moving: Tensor  # (B, h/4, w/4) logit: part of an object that moves
    logits: Tensor  # (B, K, h/4, w/4)


class Pyramid(nn.Module):
    """Images (B, 3, h, w) 0..1 and rows (B, 1, h, w) in -1..1, h and w multiples of 32 -> P2..P5."""

    def __init__(self, channels: int, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        stem = max(STEM, widths[0] // 2)
        self.stem = nn.Sequential(convolution(4, stem, 2), convolution(stem, widths[0], 2))
        inputs = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(_Block(a, b, 1 if i == 0 else 2), *(_Block(b, b, 1) for _ in range(blocks[i] - 1)))
            for i, (a, b) in enumerate(zip(inputs, widths, strict=True))
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.merge = nn.ModuleList(convolution(channels, channels, 1) for _ in widths[:-1])
        self.register_buffer("image_mean", torch.tensor([0.45, 0.45, 0.45]).view(1, 3, 1, 1))
        self.register_buffer("image_scale", torch.tensor([0.25, 0.25, 0.25]).view(1, 3, 1, 1))

    def with_rows(self, images: Tensor, rows: Tensor) -> Tensor:
        """What the stem reads, (B, 4, h, w): standardised images, and their rows."""
        return torch.cat([(images - self.image_mean) / self.image_scale, rows], 1)

    def levels(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, 4, h, w) -> (B, channels, h/4, w/4), then at strides 8, 16 and 32."""
        x = self.stem(x)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        x = self.lateral[-1](found[-1])
        down = [x]
        for level in (2, 1, 0):
            x = functional.interpolate(x, size=found[level].shape[-2:], mode="nearest")
            x = self.merge[level](x + self.lateral[level](found[level]))
            down.append(x)
        return tuple(reversed(down))


class Encoder(Pyramid):
    """Images (B, 3, h, w) 0..1 and rows (B, 1, h, w) in -1..1, h and w multiples of 32 -> EncoderOutput."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec.channels, spec.widths, spec.blocks)
        self.spec = spec
        self.to_shape = nn.Conv2d(spec.channels, spec.shape, 1)
        self.to_moving = nn.Conv2d(spec.channels, 1, 1)
        self.to_contrast = nn.Sequential(
            nn.Conv2d(spec.channels, spec.channels, 1), nn.ReLU(), nn.Conv2d(spec.channels, 32, 1)
        )
        self.to_classes = nn.Sequential(
            convolution(spec.channels, spec.channels, 1), nn.Conv2d(spec.channels, spec.classes, 1)
        )

    def features(self, images: Tensor, rows: Tensor) -> Tensor:
        """(B, 3, h, w) and (B, 1, h, w) -> (B, channels, h/4, w/4)."""
        return self.levels(self.with_rows(images, rows))[0]

    def forward(self, images: Tensor, rows: Tensor) -> EncoderOutput:
        """(B, 3, h, w) 0..1 and (B, 1, h, w) -1..1."""
        features = self.features(images, rows)
        return EncoderOutput(
            features, self.to_shape(features), self.to_moving(features)[:, 0], self.to_classes(features)
        )


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
        return encoder(
            pixels.contiguous(memory_format=torch.channels_last), row, *(planes.to(device) for planes in more)
        )


def convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A 3 x 3 convolution, its norm and a ramp."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        same = stride == 1 and inputs == outputs
        self.short = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.short(x))
