"""The run's own encoder as backbone, or a ResNet with a feature pyramid, and a random start that suits small
batches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from cups_train.network.encoder import Pyramid

OWN = "own"
WIDTHS = {"resnet18": (64, 128, 256, 512), "resnet50": (256, 512, 1024, 2048), "resnet18-half": (32, 64, 128, 256)}


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with 32 groups, fewer where a group would hold less than 4 channels."""
    groups = max(g for g in range(1, 33) if channels % g == 0 and (g == 1 or channels // g >= 4))
    return nn.GroupNorm(groups, channels)


def norm_layer(name: str) -> Callable[[int], nn.Module]:
    return group_norm if name == "group" else nn.BatchNorm2d


class NarrowResNet(nn.Module):
    """torchvision's ResNet-18 without its classifier and with other widths of the four stages, under the same names."""

    def __init__(self, widths: tuple[int, ...], norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), norm(widths[0])
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        before = (widths[0], *widths)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(before[number], width, 1 if number == 0 else 2, norm) for number, width in enumerate(widths)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stage(channels: int, width: int, stride: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    shortcut = (
        None
        if stride == 1 and channels == width
        else nn.Sequential(resnet.conv1x1(channels, width, stride), norm(width))
    )
    return nn.Sequential(
        resnet.BasicBlock(channels, width, stride, shortcut, norm_layer=norm),
        resnet.BasicBlock(width, width, norm_layer=norm),
    )


class Backbone(nn.Module):
    """Images, normalised, (B, 3, H, W) -> P2..P6, (B, channels, H / 4, W / 4) and so on.

    Strides lie in the 3x3 convolutions (torchvision's ResNet); every convolution of the pyramid is followed by a norm
    layer.
    """

    def __init__(self, name: str, norm: str, channels: int) -> None:
        super().__init__()
        if name == "resnet18-half":
            body = NarrowResNet(WIDTHS[name], norm_layer(norm))
        else:
            body = getattr(resnet, name)(weights=None, norm_layer=norm_layer(norm))
            del body.fc, body.avgpool
        self.body = body
        self.fpn = FeaturePyramidNetwork(list(WIDTHS[name]), channels, LastLevelMaxPool(), norm_layer(norm))

    def normalise(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..1 -> what `forward` takes."""
        return normalise(images)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), normalised -> P2..P6, (B, channels, H / 4, W / 4) and so on."""
        body = self.body
        x = body.maxpool(body.relu(body.bn1(body.conv1(images))))
        stages = {}
        for number, layer in enumerate((body.layer1, body.layer2, body.layer3, body.layer4)):
            x = layer(x)
            stages[str(number)] = x
        return tuple(self.fpn(stages).values())


class OwnBackbone(Pyramid):
    """The encoder of stage 1b: its top-down path is P2..P5. Takes images with their rows, as the encoder does."""

    def normalise(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..1 -> (B, 4, H, W); the rows are a constant of the size."""
        height, width = images.shape[-2:]
        rows = torch.linspace(-1, 1, height, device=images.device).reshape(1, 1, height, 1)
        return self.with_rows(images, rows.expand(images.shape[0], 1, height, width))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 4, H, W) -> P2..P6, (B, channels, H / 4, W / 4) and so on."""
        levels = self.levels(images)
        return (*levels, functional.max_pool2d(levels[-1], 1, 2))


def normalise(images: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in 0..1 -> zero mean, unit deviation (ImageNet's constants)."""
    mean = torch.tensor((0.485, 0.456, 0.406), device=images.device).reshape(3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225), device=images.device).reshape(3, 1, 1)
    return (images - mean) / std
