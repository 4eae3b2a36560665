"""Settings of stage 3: self-training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.training import TrainingConfig


class SelfTrainConfig(TrainingConfig):
    """Stage 3: self-training with a momentum teacher."""

    steps: int = Field(1500, ge=0, description="training steps")
    rounds: int = Field(3, ge=1, description="rounds; the instance threshold rises by `round_step` with each")
    round_step: float = Field(0.0, ge=0, description="rise of the instance threshold each round")
    lr: float = Field(1e-5, gt=0, description="learning rate of AdamW, heads only")
    momentum: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="momentum of the teacher; none: 0.999 at 1500 steps, for other lengths "
        "the one that leaves the teacher the same share of its start",
    )
    instance_score: float = Field(
        0.7, ge=0, le=1, description="score from which a teacher's instance is a label (the paper's gamma)"
    )
    hold: bool = Field(
        True,
        description="lower `instance_score`, to half of it at most, where the teacher's scores sink, so that it labels "
        "as many instances as at the beginning: else fewer labels make lower scores make fewer labels (published: not)",
    )
    unsure: float | None = Field(
        0.2,
        ge=0,
        le=1,
        description="a teacher's instance between this score and `instance_score` is no label, but its pixels teach "
        "nothing: else what the teacher is not sure of would be taught as background; null: it is (published)",
    )
    ignore_unknown_things: bool = Field(
        True,
        description="thing pixels without an instance teach nothing, as in stage 2; else they are "
        '"some thing" (published)',
    )
    class_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a pixel is a label where its best class reaches this share of that class's maximum "
        "(the paper's zeta)",
    )
    semantic_rule: Literal["best", "published"] = Field(
        "best",
        description="where a pixel's best class does not reach that share: `best`: it is no "
        "label; `published`: its best class among those that do is",
    )
    scales: tuple[float, ...] = Field(
        (0.8, 1.2, 1.6),
        min_length=1,
        description="the teacher's views, times the input size, each plain and flipped; "
        "labels are made at the largest (published: 512, 768, 1024 rows beside 640 rows in stage 2)",
    )
    drop_iou: float | None = Field(
        0.4,
        ge=0,
        le=1,
        description="proposals whose best IoU with a self-label is not above this teach background only "
        "where the self-labels show stuff; null: they always do (published)",
    )
    validate_every: int = Field(
        25,
        ge=0,
        description="steps after which teacher and student are judged without labels, by how well their answers "
        "agree along optical flow and between the cameras; the best is the result, stage 2's "
        "network where none beats it by two points; "
        "0: never, the last is (published)",
    )
    validation_frames: int = Field(12, ge=1, description="frames on which they are judged")
    result: Literal["student", "teacher"] = Field(
        "student", description="whose weights are the result without validation"
    )
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(50, ge=1, description="steps between pictures of image, self-label and prediction")
