"""One random generator for each concern and step, so that a stopped run goes on exactly where it was."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def generator(seed: int, concern: str, *numbers: int) -> np.random.Generator:
    """A generator that depends on nothing but its arguments; `numbers` are the step, the rank, the image."""
    return np.random.default_rng([seed, zlib.crc32(concern.encode()), len(numbers), *numbers])


def torch_seed(seed: int, concern: str, *numbers: int) -> int:
    """A seed for torch from the same arguments."""
    return int(generator(seed, concern, *numbers).integers(2**62))


def torch_generator(device: torch.device, seed: int, concern: str, *numbers: int) -> torch.Generator:
    """A torch generator on `device` that depends on nothing but its arguments."""
    return torch.Generator(device).manual_seed(torch_seed(seed, concern, *numbers))
