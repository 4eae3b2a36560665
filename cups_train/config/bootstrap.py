"""Settings of stage 2: panoptic bootstrapping."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.training import TrainingConfig


class BootstrapConfig(TrainingConfig):
    """Stage 2: panoptic bootstrapping."""

    steps: int = Field(8000, ge=1, description="training steps")
    lr: float = Field(1e-3, gt=0, description="learning rate of AdamW after warm-up (published: 1e-4)")
    warmup: int = Field(40, ge=0, description="steps of linear warm-up (published: none)")
    decay: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of the steps, at the end, over which the learning rate falls to zero (published: none)",
    )
    fall: Literal["cosine", "linear"] = Field("cosine", description="how it falls")
    weight_decay: float = Field(1e-2, ge=0, description="weight decay; 0 for normalisation layers (published: 1e-5)")
    clip: float = Field(5.0, gt=0, description="largest global norm of the gradient (published: 1)")
    average: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="momentum of the average of the weights, which is the result; 0: the last ones are (published)",
    )
    balance: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a pixel weighs as one over its class's number of pixels to the power of this; "
        "0: all weigh the same (published)",
    )
    drop_iou: float | None = Field(
        0.4,
        ge=0,
        le=1,
        description="DropLoss: a proposal whose best IoU is not above this is not punished; null: each is, for labels "
        "that lack nothing",
    )
    drop_rpn: bool = Field(
        True, description="DropLoss for the proposal network too: such anchors are ignored, not background"
    )
    known_background: bool = Field(
        True,
        description="DropLoss still punishes proposals on what the labels show as stuff or as another object "
        "(published: never)",
    )
    rpn_samples: int = Field(256, ge=8, description="anchors sampled for the proposal network, per image")
    ignore_unknown_things: bool = Field(
        True, description='thing pixels without an instance supervise nothing; else they are "some thing"'
    )
    self_enhanced_from: int = Field(1000, ge=0, description="step from which confident predictions are pasted too")
    paste: Literal["both", "predictions"] = Field(
        "both",
        description="what is pasted from then on: pseudo objects and predictions, or predictions "
        "only (published); before it, pseudo objects",
    )
    self_enhanced_every: int = Field(
        4, ge=1, description="of every so many steps from then on, one looks for them (published: each does)"
    )
    paste_score: float = Field(0.75, ge=0, le=1, description="score from which a prediction is pasted")
    empty_frames: float = Field(0.25, ge=0, le=1, description="share of training images without an instance")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(200, ge=1, description="steps between pictures of image, target and prediction")
