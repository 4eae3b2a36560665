"""Settings of stage 1a: objects from motion."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class MotionConfig(Section):
    """Stage 1a: objects from motion."""

    max_disparity: float = Field(0.15, gt=0, lt=1, description="largest disparity, share of the image width")
    flow: Literal["classical", "raft", "self"] = Field(
        "classical",
        description="source of flow and disparity: DIS and SGBM; RAFT with published "
        "SMURF weights; a network trained on the recordings themselves",
    )
    flow_weights: Path | None = Field(
        None,
        description="weights of that network: raft_smurf.pt for `raft`; for `self` a flow.safetensors of an "
        "earlier training, none: it is trained first",
    )
    flow_licence: str = Field("", description="licence of those weights, written into motion.json")
    flow_steps: int = Field(3000, ge=0, description="training steps of `flow: self`")
    flow_iterations: int = Field(16, ge=1, description="updates of `flow: raft`")
    method: Literal["residual_and_rigid", "residual", "rigid", "published"] = Field(
        "residual_and_rigid",
        description="what proposes objects: residual motion against the ego-motion, pixel by "
        "pixel; rigid-motion clustering "
        "(after SF2SE3); or both. `published`: SF2SE3 as in CUPS, with its faults and the other constants of 640x1280",
    )
    runs: int = Field(4, ge=1, description="independent random runs of the rigid clustering in the ensemble")
    vote: float = Field(0.8, gt=0, le=1, description="share of the runs in which a cluster must be found again")
    max_depth: float = Field(70.0, gt=0, description="points further away are not used [m]")
    min_area: float = Field(0.2, ge=0, description="smallest visible surface of an object [m2]")
