"""Which weights give flow and disparity, and where they compute. Imports torch only where a network is chosen."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cups_train.config import MotionConfig
from cups_train.errors import ModelError
from cups_train.files import sha256
from cups_train.recording import Recording

FILE = "flow.safetensors"


def with_weights(config: MotionConfig, recordings: Sequence[Recording], folder: Path, seed: int, device: str) -> MotionConfig:
    """The settings with weights: those that are named, or with `flow: self` and none named FOLDER/flow.safetensors, trained on `recordings` first.

    Raises ModelError where the named ones are not there.
    """
    if config.flow == "classical":
        return config
    if config.flow_weights is None and config.flow == "self":
        from cups_train.flow.learned.training import train

        return config.model_copy(update={"flow_weights": train(recordings, folder, config, seed, device)})
    if config.flow_weights is None or not config.flow_weights.is_file():
        raise ModelError(f"expected a file of weights in motion.flow_weights for motion.flow = {config.flow}, found {config.flow_weights or 'none'}; "
                         "name one, or take `-o motion.flow=classical`")
    return config


def trained_before(config: MotionConfig, folder: Path) -> MotionConfig:
    """The settings with the weights that a finished motion stage has trained in `folder`, where it has."""
    if config.flow == "self" and config.flow_weights is None:
        return config.model_copy(update={"flow_weights": folder / FILE})
    return config


def source_facts(config: MotionConfig) -> dict[str, Any]:
    """What motion.json says about the source of flow and disparity."""
    if config.flow == "classical" or config.flow_weights is None:
        return {"source": config.flow}
    return {"source": config.flow, "weights": config.flow_weights.name, "sha256": sha256(config.flow_weights),
            "licence": config.flow_licence or ("trained on these recordings" if config.flow == "self" else "not stated (motion.flow_licence)")}


def where(config: MotionConfig, device: str, workers: int) -> tuple[str, int]:
    """The device of the source, the same on every worker, and how many workers may share it."""
    if config.flow == "classical":
        return "cpu", workers
    from cups_train.device import torch_device

    place = torch_device(device)
    return str(place), 1 if place.type == "cuda" else workers
