"""Weights files of other projects, read so that nothing they bring along is ever run.

Read are: safetensors; torch files of timm and of the DINO projects (the plain state, or teacher and student side by
side); Lightning checkpoints of STEGO and DepthG, whose `hyper_parameters` hold objects of OmegaConf: inert stand-ins
take their place, and their packages are not imported.
"""

from __future__ import annotations

import builtins
import collections
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cups_train.errors import ModelError, first_line
from cups_train.files import sha256

INERT_PACKAGES = (
    "omegaconf.",
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "lightning_utilities.",
    "pathlib.",
    "typing.",
)
HARMLESS = {
    f"builtins.{name}": getattr(builtins, name)
    for name in ("bool", "dict", "float", "int", "list", "set", "str", "tuple")
} | {"collections.defaultdict": collections.defaultdict}
# names under which files keep the state; the first that is there counts
STATES = ("state_dict", "teacher", "model", "student")
PREFIXES = ("module.", "backbone.")
HEAD_KEYS = {  # key of a STEGO/DepthG checkpoint -> ours
    "net.cluster1.0.weight": "linear.weight",
    "net.cluster1.0.bias": "linear.bias",
    "net.cluster2.0.weight": "hidden.weight",
    "net.cluster2.0.bias": "hidden.bias",
    "net.cluster2.2.weight": "nonlinear.weight",
    "net.cluster2.2.bias": "nonlinear.bias",
    "cluster_probe.clusters": "centres",
}


@dataclass(frozen=True, eq=False)
class ForeignWeights:
    """What a weights file holds."""

    backbone: dict[str, Tensor]  # in the keys of the file, without prefixes
    # of a STEGO/DepthG checkpoint: linear.*, hidden.*, nonlinear.*, centres (K, dim); else empty
    head: dict[str, Tensor]
    source: str  # file name and the first digits of its SHA-256


def read_weights(path: Path) -> ForeignWeights:
    """Raises ModelError for a missing or damaged file, for one that would run code, and for one without weights."""
    if not path.is_file():
        raise ModelError(f"expected a file of weights in {path}, found none (semantics.weights)")
    tensors = _state(_tree(path))
    source = f"{path.name} sha256:{sha256(path)[:16]}"
    backbone = {key.removeprefix("net.model."): value for key, value in tensors.items() if key.startswith("net.model.")}
    if not backbone:
        return ForeignWeights(tensors, {}, source)
    missing = sorted(set(HEAD_KEYS) - set(tensors))
    if missing:
        raise ModelError(
            f"expected the head of a STEGO or DepthG checkpoint in {path}, found none of {missing[0]} "
            "(semantics.weights)"
        )
    return ForeignWeights(backbone, {ours: tensors[theirs].float() for theirs, ours in HEAD_KEYS.items()}, source)


def _tree(path: Path) -> Any:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"expected safetensors in {path}, found a damaged file ({error}); fetch it again (semantics.weights)"
            ) from error
    try:
        stand_ins = _stand_ins(path)
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = named[1] if named else str(error).splitlines()[-1][:120]
        raise ModelError(
            f"expected nothing but weights in {path}, found {reason}; such a file could run code and is not read "
            f"(semantics.weights)"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError) as error:
        reason = first_line(error, type(error).__name__)[:120]
        raise ModelError(f"expected a torch file of weights in {path}, found {reason} (semantics.weights)") from error


def _stand_ins(path: Path) -> list[Any]:
    """(object, name) for every foreign name of the file that is known to be harmless; torch refuses the others by
    itself."""
    if not zipfile.is_zipfile(path):
        return []
    names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    allowed = [(HARMLESS[name], name) for name in names if name in HARMLESS]
    return allowed + [(type("Inert", (_Inert,), {}), name) for name in names if name.startswith(INERT_PACKAGES)]


class _Inert:
    """Takes the place of a foreign object and keeps nothing of it."""

    def __new__(cls, *_: Any) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        """Arguments are dropped."""

    def __setstate__(self, _: Any) -> None:
        """So is the state."""


def _state(tree: Any) -> dict[str, Tensor]:
    """The tensors of the state, without the prefixes that training wrappers add."""
    for name in STATES:
        if isinstance(tree, Mapping) and isinstance(tree.get(name), Mapping):
            tree = tree[name]
            break
    tensors = (
        {key: value for key, value in tree.items() if isinstance(key, str) and isinstance(value, Tensor)}
        if isinstance(tree, Mapping)
        else {}
    )
    for prefix in PREFIXES:
        if any(key.startswith(f"{prefix}blocks.") or key.startswith(f"{prefix}{PREFIXES[1]}") for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    return tensors
