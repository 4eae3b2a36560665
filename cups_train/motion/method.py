"""How objects are found: ours, or as published. The one place that looks at `motion.method` as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cups_train.config import MotionConfig
from cups_train.motion.find import find_moving_objects, generator
from cups_train.motion.time_step import TimeStep
from cups_train.published.motion import published_objects
from cups_train.types import MotionResult


@dataclass(frozen=True)
class Method:
    """One way from a time step to objects."""

    find: Callable[[TimeStep, MotionConfig, int], MotionResult]  # the int is the seed
    # frames before and after confirm or refute objects, and the frame before stands in for a missing t+1
    neighbours: bool


def method_of(config: MotionConfig) -> Method:
    """The method that `motion.method` names."""
    return (
        Method(_published, neighbours=False)
        if config.method == "published"
        else Method(find_moving_objects, neighbours=True)
    )


def _published(step: TimeStep, config: MotionConfig, seed: int) -> MotionResult:
    return published_objects(step.flow, step.now, config, generator(seed, step.now.key))
