"""What a training needs to go on, as one file of tensors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from cups_train.errors import ModelError
from cups_train.files import write_atomically


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Tensors of any shape, and numbers."""
    write_atomically(path, lambda beside: torch.save(content, beside))


def load_tensors(path: Path, device: torch.device | str, start: Path) -> dict[str, Any]:
    """What `save_tensors` wrote, on a device; nothing in it is executed. Raises ModelError where the file is damaged:
    to start again, `start` has to be deleted."""
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"expected the optimiser's state in {path}, found a damaged file; delete {start} to start again"
        ) from error
    return content
