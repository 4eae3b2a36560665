"""Settings of stage 2: panoptic bootstrapping."""
from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.training import TrainingConfig


class BootstrapConfig(TrainingConfig):
    """Stage 2: panoptic bootstrapping."""

    steps: int = Field(8000, ge=1, description="training steps")
    lr: float = Field(1e-4, gt=0, description="learning rate of AdamW, constant after warm-up")
    warmup: int = Field(0, ge=0, description="steps of linear warm-up")
    decay: float = Field(0.0, ge=0, le=1, description="share of the steps, at the end, over which the learning rate falls to zero (published: none)")
    drop_iou: float = Field(0.4, ge=0, le=1, description="DropLoss: a proposal whose best IoU is not above this is not punished")
    drop_rpn: bool = Field(True, description="DropLoss for the proposal network too: such anchors are ignored, not background")
    known_background: bool = Field(True, description="DropLoss still punishes proposals on what the labels show as stuff or as another object "
                                   "(published: never)")
    rpn_samples: int = Field(256, ge=8, description="anchors sampled for the proposal network, per image")
    ignore_unknown_things: bool = Field(True, description="thing pixels without an instance supervise nothing; else they are \"some thing\"")
    self_enhanced_from: int = Field(1000, ge=0, description="step from which confident predictions are pasted too")
    paste: Literal["both", "predictions"] = Field("both", description="what is pasted from then on: pseudo objects and predictions, or predictions "
                                                  "only (published); before it, pseudo objects")
    paste_score: float = Field(0.75, ge=0, le=1, description="score from which a prediction is pasted")
    empty_frames: float = Field(0.25, ge=0, le=1, description="share of training images without an instance")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(200, ge=1, description="steps between pictures of image, target and prediction")
