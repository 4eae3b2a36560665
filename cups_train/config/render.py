"""Settings of the procedural street."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class RenderConfig(Section):
    """The procedural street."""

    scene: Literal["drive", "junction", "turn", "standstill", "static"] = Field(
        "drive", description="what happens; `static`: only the camera"
    )
    height: int = Field(256, ge=64, le=1080, description="image height [px]")
    width: int = Field(512, ge=128, le=1920, description="image width [px]")
    focal: float = Field(
        0.0, ge=0, le=4, description="focal length, share of the image width; 0: by the seed, 0.95 to 1.15"
    )
    camera_height: float = Field(0.0, ge=0, le=4, description="camera above the road [m]; 0: by the seed, 1.25 to 1.6")
    baseline: float = Field(0.22, gt=0, le=2, description="distance of the two cameras [m]")
