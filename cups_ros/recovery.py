"""A model that outlives its engine: after a failure the next engine takes over, or the model is loaded again. No
ROS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from cups_ros.engines import EngineError
from cups_ros.pacing import give_memory_back
from cups_ros.types import Classes, Panoptic, Thresholds

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0  # between two attempts to load a model again that failed


class Infers(Protocol):
    """What a loaded model is for the node."""

    name: str
    engine: str
    classes: Classes
    thresholds: Thresholds
    input_size: tuple[int, int]

    def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
        """(H, W, 3) uint8 RGB -> what gives its panoptic map."""

    def next_engine(self) -> bool: ...

    def close(self) -> None: ...


class EngineFailure(RuntimeError):
    """An engine failed on an image; the sentence says what works in its place."""


class LastingModel:
    """A model that is replaced when its engine fails. Used by one thread at a time."""

    def __init__(self, load: Callable[[], Infers], clock: Callable[[], float] = time.monotonic) -> None:
        self._load, self._clock = load, clock
        self.model = load()
        self.thresholds = self.model.thresholds  # of the model's card
        self.recovering = False  # an engine is being opened: that may take long
        self._pause_s, self._not_before = FIRST_PAUSE_S, float("-inf")

    def start(self, image: np.ndarray, thresholds: Thresholds) -> Callable[[], Panoptic]:
        """(H, W, 3) uint8 RGB -> what is left to do once the engine has run; it gives the panoptic map, in whichever
        thread.

        Raises EngineFailure once another engine stands ready for the next image, or none does.
        """
        self.model.thresholds = thresholds
        try:
            return self.model.start(image)
        except EngineError as error:
            self.recovering = True
            try:
                raise EngineFailure(self._recover(error)) from error
            finally:
                self.recovering = False

    def close(self) -> None:
        """Give memory and devices back."""
        self.model.close()

    def _recover(self, error: EngineError) -> str:
        failed, begun = self.model.engine, self._clock()
        what = f"engine {failed} failed ({_first_line(error)})"
        if begun < self._not_before:
            return f"{what}; it is opened again in {self._not_before - begun:.1f} s"
        try:
            if not self.model.next_engine():
                self.model.close()
                give_memory_back()
                self.model = self._load()
        except Exception as second:  # whatever keeps it from being opened, the next image tries again
            self._not_before, self._pause_s = self._clock() + self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
            return f"{what} and could not be opened again ({_first_line(second)})"
        self._pause_s = FIRST_PAUSE_S
        took = f"after {self._clock() - begun:.1f} s"
        return (
            f"{what}; it was opened again {took}"
            if self.model.engine == failed
            else f"{what}; {self.model.engine} took its place {took}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
