"""Which matcher the settings name, on which device it computes, and what motion.json says of it. Imports torch only
where a network is chosen."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cups_train.config import MotionConfig
from cups_train.files import sha256
from cups_train.flow.checks import checked
from cups_train.flow.classical import ClassicalMatcher
from cups_train.flow.fields import Matcher
from cups_train.types import SceneFlow, StereoFrame, Work


@lru_cache(maxsize=1)
def open_matcher(config: MotionConfig, device: str = "cpu", one_thread: bool = True) -> Matcher:
    """The matcher that `config.flow` names, made once a process. `one_thread`: on a CPU a network computes with one,
    for others share the cores.

    Raises ModelError where the weights of a network cannot be used.
    """
    if config.flow == "classical":
        return ClassicalMatcher(config.max_disparity)
    from cups_train.flow.learned.matcher import open_network  # needs torch; the classical matcher does not

    return open_network(config, device, one_thread)


def scene_flow(now: StereoFrame, after: StereoFrame, config: MotionConfig) -> SceneFlow:
    """Correspondences from the frame `now` to `after` (later, or earlier), with what the checks say about their
    noise."""
    return checked(open_matcher(config).match(now, after))


def shared_among(config: MotionConfig, work: Work) -> Work:
    """The same work with the matcher's device, the same on every worker, and with as many workers as may share it."""
    if config.flow == "classical":
        return Work(work.seed, work.workers, "cpu")
    from cups_train.device import torch_device

    device = torch_device(work.device)
    return Work(work.seed, 1 if device.type == "cuda" else work.workers, str(device))


def matcher_facts(config: MotionConfig) -> dict[str, Any]:
    """What motion.json says about where flow and disparity come from."""
    if config.flow == "classical" or config.flow_weights is None:
        return {"source": config.flow}
    return {
        "source": config.flow,
        "weights": config.flow_weights.name,
        "sha256": sha256(config.flow_weights),
        "licence": config.flow_licence
        or ("trained on these recordings" if config.flow == "self" else "not stated (motion.flow_licence)"),
    }
