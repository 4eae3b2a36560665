"""Settings of stage 1c: pseudo labels."""
from __future__ import annotations

from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class LabelConfig(Section):
    """Stage 1c: alignment, thing/stuff split, quality gate."""

    psi: float = Field(2.16, gt=0, description="a class is a thing from this many times the share that all pixels have inside moving objects")
    neighbours: float = Field(3.0, ge=0, description="how far the counts of a class reach to classes that look like it, times the usual squared "
                              "distance of the nearest class; 0: each class is judged by itself")
    min_instances: int = Field(5, ge=1, description="fewest moving objects that make a thing class; of few objects one in fifty, at least two")
    thing_vote: float = Field(0.2, ge=0, le=1, description="without kinds: share of an object's pixels from which thing classes name it")
    things: tuple[int, ...] = Field((), description="ids of the thing classes; empty: found by motion")
    kinds: int = Field(24, ge=0, le=128, description="most kinds of moving objects, by size, speed and looks: they name objects and are classes "
                       "of their own beside semantics.classes; 0: the votes of an object's pixels name it (published)")
    border: float = Field(0.025, ge=0, lt=0.5, description="columns at each side without instances, share of the width")
    min_moving_frames: float = Field(0.02, ge=0, le=1, description="gate: least share of frames with a moving object")
    max_class_share: float = Field(0.6, gt=0, le=1, description="gate: largest share of all pixels that one class may take")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` uses the published split rule")
