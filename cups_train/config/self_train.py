"""Settings of stage 3: self-training."""
from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class SelfTrainConfig(Section):
    """Stage 3: self-training with a momentum teacher."""

    steps: int = Field(1500, ge=0, description="training steps")
    rounds: int = Field(3, ge=1, description="rounds; the instance threshold rises by `round_step` with each")
    round_step: float = Field(0.0, ge=0, description="rise of the instance threshold each round")
    batch: int = Field(16, ge=1, description="images a step")
    lr: float = Field(1e-5, gt=0, description="learning rate of AdamW, heads only")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay")
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    momentum: float | None = Field(None, ge=0, lt=1, description="momentum of the teacher; none: 0.999 at 1500 steps, for other lengths "
                                   "the one that leaves the teacher the same share of its start")
    gamma: float = Field(0.7, ge=0, le=1, description="score from which a teacher's instance is a label")
    hold: bool = Field(True, description="lower `gamma`, to half of it at most, where the teacher's scores sink, so that it labels as many "
                       "instances as at the beginning: else fewer labels make lower scores make fewer labels; not with `compat: reference`")
    unsure: float = Field(0.2, ge=0, le=1, description="a teacher's instance between this score and `gamma` is no label, but its pixels teach "
                          "nothing: else what the teacher is not sure of would be taught as background; `compat: reference`: it is")
    ignore_unknown_things: bool = Field(True, description="thing pixels without an instance teach nothing, as in stage 2; `compat: reference`: they "
                                        "are \"some thing\"")
    zeta: float = Field(0.5, ge=0, le=1, description="a pixel is a label where its best class reaches this share of that class's maximum")
    scales: tuple[float, ...] = Field((0.8, 1.2, 1.6), min_length=1, description="the teacher's views, times the input size, each plain and flipped; "
                                      "labels are made at the largest (published: 512, 768, 1024 rows beside 640 rows in stage 2)")
    rois: int = Field(512, ge=8, description="proposals sampled for the box heads, per image")
    drop_iou: float | None = Field(0.4, ge=0, le=1, description="proposals whose best IoU with a self-label is not above this teach background only "
                                   "where the self-labels show stuff; null, and with `compat: reference`: they always do")
    copy_paste: int = Field(8, ge=0, description="most objects pasted into an image; 0 switches copy-paste off")
    jitter: tuple[float, float] = Field((0.6, 1.1), description="range of the resolution jitter, times the input size")
    bf16: bool = Field(True, description="bfloat16 autocast on CUDA")
    result: Literal["student", "teacher"] = Field("student", description="whose weights are the result")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(50, ge=1, description="steps between pictures of image, self-label and prediction")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` uses the published code's self-label rule")
