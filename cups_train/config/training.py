"""Settings that both stages of training have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class TrainingConfig(Section):
    """Training of the panoptic network."""

    steps: int = Field(ge=0, description="training steps")
    batch: int = Field(16, ge=1, description="images a step")
    lr: float = Field(gt=0, description="learning rate of AdamW")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay; 0 for normalisation layers")
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    rois: int = Field(512, ge=8, description="proposals sampled for the box heads, per image")
    rpn_iou: float = Field(
        0.5,
        ge=0.3,
        le=1,
        description="IoU with an object from which an anchor teaches that something is there; few anchors have the "
        "shape of a person (published: 0.7)",
    )
    copy_paste: int = Field(8, ge=0, description="most objects pasted into an image; 0 switches copy-paste off")
    light: Literal["mild", "strong"] = Field(
        "mild", description="changes of light and colour: `mild`, or blur, strong jitter and greyscale (published)"
    )
    semantic_stride: Literal[1, 4] = Field(
        4, description="grid on which pixels are compared: 4 as the head answers, or 1, enlarged (published)"
    )
    jitter: tuple[float, float] = Field((0.6, 1.1), description="range of the resolution jitter, times the input size")
    bf16: bool = Field(True, description="bfloat16 autocast on CUDA")
    bf16_cpu: bool = Field(
        True,
        description="the same on CPUs that multiply in bfloat16 by tiles (AMX), where it is a third faster "
        "(published: not)",
    )
    checkpoint_every: int = Field(ge=1, description="steps between checkpoints")
    pictures_every: int = Field(ge=1, description="steps between pictures of image, target and prediction")
