"""Settings of the panoptic network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cups_train.config.section import Levels, Section


class NetworkConfig(Section):
    """Panoptic Cascade Mask R-CNN. height = width = 0: about `area` pixels in the recordings' aspect ratio."""

    backbone: Literal["auto", "own", "resnet18-half", "resnet18", "resnet50"] = Field(
        "auto",
        description="backbone; `own`: the encoder that stage 1b trained on these recordings, with its weights; "
        "`resnet18-half` has half the "
        "channels; auto: own, resnet50 with `weights`",
    )
    weights: Path | None = Field(
        None,
        description="file with backbone weights, safetensors or with torchvision's keys; none: those of the "
        "encoder, or from scratch",
    )
    weights_licence: str = Field("", description="licence of those weights, written into checkpoints and model cards")
    norm: Literal["auto", "batch", "group"] = Field(
        "auto", description="norm layers of a ResNet; auto: group from scratch, batch with weights"
    )
    channels: int = Field(
        0,
        ge=0,
        description="channels of the feature pyramid and the mask head; 0: 256, those of the encoder with `own`",
    )
    widths: Levels | None = Field(
        None, description="`own`: channels at strides 4, 8, 16, 32; null: those of the encoder"
    )
    blocks: Levels | None = Field(
        None, description="`own`: residual blocks at these strides; null: those of the encoder"
    )
    hidden: int = Field(1024, ge=16, description="units of the box heads")
    mask_convs: int = Field(4, ge=1, description="convolutions of the mask head")
    mask_classes: bool = Field(
        False, description="a mask of its own for each thing class (published); else one for any thing"
    )
    semantic_head: Literal["auto", "direct", "fpn"] = Field(
        "auto",
        description="`direct`: classes are read from the finest level, with `own` as the encoder read its clusters; "
        "`fpn`: towers over all "
        "levels (published); auto: direct with `own`",
    )
    semantic_channels: int = Field(128, ge=16, description="channels of `semantic_head: fpn`")
    proposals: int = Field(256, ge=16, le=1000, description="proposals that reach the box heads in inference")
    detections: int = Field(100, ge=1, le=300, description="instances that reach the mask head in inference")
    scoring: Literal["any_thing", "per_class"] = Field(
        "any_thing",
        description="an instance's score is the probability that it is any thing, with one NMS over all things: right "
        "for pseudo classes that share a kind of object; or `per_class` (published): of its class, with an NMS for "
        "each: right for classes that a person defined",
    )
    height: int = Field(0, ge=0, multiple_of=32, description="input height [px]")
    width: int = Field(0, ge=0, multiple_of=32, description="input width [px]")
    area: int = Field(512 * 1024, ge=64 * 64, description="pixels of the input where height and width are 0")

    @model_validator(mode="after")
    def _has_one_start(self) -> NetworkConfig:
        if self.weights is not None and self.backbone == "own":
            raise ValueError(
                f"network.weights {self.weights} with network.backbone own, which starts from the encoder of stage "
                "1b (leave one out)"
            )
        return self
