"""What matchers measure of a pair of stereo frames, and the memory that lets consecutive pairs share their work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cups_train.types import StereoFrame

HELD = 3  # frames whose results are kept: t-1, t, t+1


@dataclass(frozen=True, eq=False)
class Disparity:
    """Of one frame's left image, unchecked."""

    px: np.ndarray  # (H, W) float32 px
    error: np.ndarray  # (H, W) float32 px, its disagreement with the right image's; infinite: none was found there


@dataclass(frozen=True, eq=False)
class TwoWayFlow:
    """Of the left images of a pair, unchecked."""

    forward: np.ndarray  # (H, W, 2) float32 px, left image of `now` -> `after`
    back: np.ndarray  # (H, W, 2) float32 px, the way back, at the end of `forward`
    sure: np.ndarray  # (H, W) bool, `forward` ends inside the picture and nothing else fits as well


@dataclass(frozen=True, eq=False)
class Fields:
    """What a matcher measured of a pair, unchecked."""

    flow: TwoWayFlow
    now: Disparity
    after: Disparity


class Matcher(Protocol):
    """Measures flow and disparity. It keeps the results of the last frames: consecutive pairs, also backwards, share
    their work."""

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        """Both flows between the left images, and the disparities of both frames."""


class Memory:
    """Results that belong to the last few frames; a frame is known by its identity, not by its content."""

    def __init__(self) -> None:
        self._frames: deque[StereoFrame] = deque(maxlen=HELD)
        self._found: dict[tuple[Any, ...], Any] = {}

    def hold(self, *frames: StereoFrame) -> None:
        """Keep these frames; the results of those that go are dropped."""
        for frame in frames:
            if not any(frame is held for held in self._frames):
                self._frames.append(frame)
        alive = {id(frame) for frame in self._frames}
        self._found = {key: value for key, value in self._found.items() if alive.issuperset(key[1:])}

    def missing(self, what: str, *frames: StereoFrame) -> bool:
        return _key(what, frames) not in self._found

    def put(self, value: Any, what: str, *frames: StereoFrame) -> None:
        self._found[_key(what, frames)] = value

    def get(self, what: str, *frames: StereoFrame) -> Any:
        return self._found[_key(what, frames)]

    def once(self, compute: Callable[[], Any], what: str, *frames: StereoFrame) -> Any:
        """The kept result, or that of `compute`."""
        if self.missing(what, *frames):
            self.put(compute(), what, *frames)
        return self.get(what, *frames)


def _key(what: str, frames: tuple[StereoFrame, ...]) -> tuple[Any, ...]:
    return (what, *map(id, frames))
