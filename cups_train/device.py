"""Which device the networks run on."""

from __future__ import annotations

import torch

from cups_train.errors import CupsError


def torch_device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one. Raises CupsError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CupsError(f"expected auto, cpu, cuda or cuda:N, found {name!r} (-o device=...)") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CupsError(
            f"expected a GPU for device {name}, found {torch.cuda.device_count()}; `-o device=auto` takes what is there"
        )
    return device
