"""What every section of settings is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Levels = tuple[int, int, int, int]  # of a network, at strides 4, 8, 16, 32
Terms = tuple[float, float, float, float]  # of a head's loss: own, neighbour and random pairs, depth


class Section(BaseModel):
    """Frozen settings; unknown keys, and numbers that are none, are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
