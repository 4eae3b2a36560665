"""Settings of stage 2: panoptic bootstrapping."""
from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class BootstrapConfig(Section):
    """Stage 2: panoptic bootstrapping."""

    steps: int = Field(8000, ge=1, description="training steps")
    batch: int = Field(16, ge=1, description="images a step")
    lr: float = Field(1e-4, gt=0, description="learning rate of AdamW, constant after warm-up")
    warmup: int = Field(0, ge=0, description="steps of linear warm-up")
    decay: float = Field(0.0, ge=0, le=1, description="share of the steps, at the end, over which the learning rate falls to zero (published: none)")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay; 0 for normalisation layers")
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    drop_iou: float = Field(0.4, ge=0, le=1, description="DropLoss: a proposal whose best IoU is not above this is not punished")
    drop_rpn: bool = Field(True, description="DropLoss for the proposal network too: such anchors are ignored, not background")
    known_background: bool = Field(True, description="DropLoss still punishes proposals on what the labels show as stuff or as another object; "
                                   "`compat: reference`: it never does")
    rois: int = Field(512, ge=8, description="proposals sampled for the box heads, per image")
    rpn_samples: int = Field(256, ge=8, description="anchors sampled for the proposal network, per image")
    ignore_unknown_things: bool = Field(True, description="thing pixels without an instance supervise nothing; else they are \"some thing\"")
    copy_paste: int = Field(8, ge=0, description="most objects pasted into an image; 0 switches copy-paste off")
    self_enhanced_from: int = Field(1000, ge=0, description="step from which confident predictions are pasted too")
    paste_score: float = Field(0.75, ge=0, le=1, description="score from which a prediction is pasted")
    empty_frames: float = Field(0.25, ge=0, le=1, description="share of training images without an instance")
    jitter: tuple[float, float] = Field((0.6, 1.1), description="range of the resolution jitter, times the input size")
    bf16: bool = Field(True, description="bfloat16 autocast on CUDA")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(200, ge=1, description="steps between pictures of image, target and prediction")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` pastes pseudo objects, later predictions only")
