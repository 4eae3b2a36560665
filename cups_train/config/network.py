"""Settings of the panoptic network."""
from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class NetworkConfig(Section):
    """Panoptic Cascade Mask R-CNN. height = width = 0: about `area` pixels in the recordings' aspect ratio."""

    backbone: Literal["resnet18-half", "resnet18", "resnet50"] = Field("resnet50", description="backbone; `resnet18-half` has half the channels")
    weights: Path | None = Field(None, description="safetensors or torchvision-keyed file with backbone weights; none: from scratch")
    weights_licence: str = Field("", description="licence of those weights, written into checkpoints and model cards")
    norm: Literal["auto", "batch", "group"] = Field("auto", description="norm layers; auto: group from scratch, batch with weights")
    channels: int = Field(256, ge=16, description="channels of the feature pyramid and the mask head")
    hidden: int = Field(1024, ge=16, description="units of the box heads")
    mask_convs: int = Field(4, ge=1, description="convolutions of the mask head")
    semantic_channels: int = Field(128, ge=16, description="channels of the semantic head")
    proposals: int = Field(256, ge=16, le=1000, description="proposals that reach the box heads in inference")
    detections: int = Field(100, ge=1, le=300, description="instances that reach the mask head in inference")
    height: int = Field(0, ge=0, multiple_of=32, description="input height [px]")
    width: int = Field(0, ge=0, multiple_of=32, description="input width [px]")
    area: int = Field(512 * 1024, ge=64 * 64, description="pixels of the input where height and width are 0")
