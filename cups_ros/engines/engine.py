"""What every back end is given, gives and raises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Signature = dict[str, tuple[tuple[int, ...], str]]  # name of an input or output -> shape and numpy's name of its type


class EngineError(RuntimeError):
    """A back end that cannot be opened, or failed while it ran: one sentence."""


class EngineMissing(EngineError):
    """A back end whose package, library or provider is not installed."""


@dataclass(frozen=True)
class Graph:
    """An exported graph, as a back end needs it."""

    path: Path  # model.onnx
    sha256: str
    precision: str  # "fp32" | "fp16" | "int8"; it is written in the graph, back ends do not change it
    input: str  # name of the image's input
    # what MODEL/model.plan was built with (`engine` of the card); None: there is none
    plan: dict[str, Any] | None = None
    threads: int = 0  # of a CPU session; 0: as many as the process has cores


class Engine(Protocol):
    """One opened graph. Used by one thread at a time."""

    @property
    def signature(self) -> Signature:
        """Inputs and outputs of the graph."""

    def run(self, image: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        """(1, H, W, 3) uint8 -> the named outputs, in their order. Raises EngineError."""

    def close(self) -> None:
        """Give memory and devices back."""
