"""Where the weights of a flow network are looked up."""

from __future__ import annotations

from pathlib import Path

from cups_train.config import MotionConfig
from cups_train.errors import ModelError

FILE = "flow.safetensors"


def with_weights(config: MotionConfig, folder: Path) -> MotionConfig:
    """The settings with weights: those that are named, or with `flow: self` and none named FOLDER/flow.safetensors.

    Raises ModelError where there are none.
    """
    if config.flow == "classical":
        return config
    weights = folder / FILE if config.flow == "self" and config.flow_weights is None else config.flow_weights
    if weights is None or not weights.is_file():
        raise ModelError(
            f"expected a file of weights in motion.flow_weights for motion.flow = {config.flow}, found "
            f"{weights or 'none'}; "
            "name one, or take `-o motion.flow=classical`"
        )
    return config.model_copy(update={"flow_weights": weights})
