"""Settings of stage 1b: classes without labels."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cups_train.config.section import Levels, Section, Terms


class SemanticsConfig(Section):
    """Stage 1b: clusters without labels, and how many classes stage 1c joins them into."""

    PASSED_ON: ClassVar = ("classes",)  # what stage 1b itself does not read

    classes: Annotated[int, Field(ge=2, le=254)] | Literal["auto"] = Field(
        27,
        description="number of classes that a user sees, pixel classes and kinds of movers together, joined from the "
        "clusters; `auto`: where the "
        "best remaining join falls sharply",
    )
    clusters: int = Field(
        200, ge=2, le=254, description="number of clusters K that classes are joined from; many small ones mix less"
    )
    features: Literal["scratch", "dino"] = Field(
        "scratch",
        description="dense features: an encoder learned from the recordings, or a vision "
        "transformer (DINO, DINOv2, DINOv3, DepthG) from `weights`",
    )
    weights: str = Field(
        "", description="`features: dino`: file of weights (safetensors, .pth, .ckpt), or timm:NAME, which may download"
    )
    weights_licence: str = Field("", description="licence of those weights, written into the encoder's file")
    head: Literal["clusters", "stego", "depthg", "published"] = Field(
        "clusters",
        description="classes from clusters, from correspondence "
        "distillation without or with depth, or from a STEGO/DepthG checkpoint",
    )
    head_steps: int = Field(1000, ge=1, description="training steps of the heads `stego` and `depthg`")
    head_batch: int = Field(16, ge=2, description="crops a step of those heads, each with a partner")
    head_lr: float = Field(5e-4, gt=0, description="learning rate of those heads")
    code: int = Field(70, ge=2, description="channels of the code that those heads cluster (DepthG's ViT-B: 100)")
    shifts: Terms | None = Field(
        None,
        description="likeness from which own, neighbour and random pairs of features and "
        "pairs in the depth term attract; null: from the recordings (published: 0.39, "
        "0.25, 0.26, 0.03)",
    )
    term_weights: Terms | None = Field(
        None,
        description="weights of own, neighbour and random pairs and of the depth "
        "term; null: the published 0.95, 1.02, 0.57, 0.09, or 0.95, 0, 0.57, 0.4 "
        "where geometry is among the features",
    )
    depth_term: Literal["nearness", "published"] = Field(
        "nearness",
        description="head `depthg`: pairs near in space on one side of the ground are "
        "alike, or DepthG's published term, which is blind to depth",
    )
    spots: Literal["farthest", "random"] = Field(
        "farthest",
        description="head `depthg`: which spots of a crop are compared, the farthest of the "
        "scene or, as published, random ones",
    )
    sharpness: float | None = Field(
        None, gt=0, description="factor of a head's cosines; null: as sharp as mirrored pictures agree (published: 2)"
    )
    channels: int = Field(64, ge=8, description="channels of the dense features")
    widths: Levels = Field(
        (48, 80, 128, 160),
        description="channels of the encoder at strides 4, 8, 16, 32; stage 2 starts from "
        "it: (64, 128, 256, 512) with the blocks (3, 4, 6, 3) is as large as a ResNet-50",
    )
    blocks: Levels = Field((2, 2, 2, 1), description="residual blocks of the encoder at these strides")
    steps: int = Field(600, ge=0, description="training steps of the encoder")
    cluster_steps: int = Field(300, ge=0, description="training steps of the class head on the clusters")
    batch: int = Field(4, ge=1, description="images a step")
    lr: float = Field(2e-3, gt=0, description="learning rate of the encoder")
    height: int = Field(256, ge=64, description="working height of an image in training [px]")
    windows: bool = Field(True, description="fuse whole image and sliding windows by depth, weight 1/(1 + Z)")
    refine: Literal["none", "guided", "crf"] = Field(
        "crf",
        description="refinement of the class maps: none, an edge-aware filter, or a fully "
        "connected CRF before that filter",
    )
