"""Settings of what is read of a recording."""

from __future__ import annotations

from pydantic import Field

from cups_train.config.section import Section


class RecordingConfig(Section):
    """Which topics of a recording are read."""

    left: str = Field("", description="image topic of the left (or only) camera; empty: found by itself")
    right: str = Field("", description="image topic of the right camera; empty: found by itself")
    left_info: str = Field("", description="camera_info topic of the left camera; empty: found by itself")
    right_info: str = Field("", description="camera_info topic of the right camera; empty: found by itself")
    pair_slop_ms: float = Field(15.0, gt=0, description="largest difference of the stamps of a stereo pair [ms]")
    max_gap: float = Field(1.8, gt=1, description="frames further apart than this many median steps are not t and t+1")
    stride: int = Field(1, ge=1, description="take every n-th stereo pair")
    rectified: bool | None = Field(
        None, description="the images are rectified as recorded; null: as their topic and camera_info say"
    )
    baseline: float = Field(0.0, ge=0, description="distance of the two cameras [m] where P is wrong; 0: from P")
