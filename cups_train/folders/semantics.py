"""The semantics folder on disk.

encoder.safetensors  the network that names clusters, with K and their centres
classes.jpg          what each cluster looks like
NAME/KEY.png         (H, W) uint8 ids 1..K of clusters of a frame of the recording NAME; NAME/overlays/KEY.jpg of a few
state/               while classes are learned: where the trainings stand, and of each prepared frame NAME/KEY.npz
and the arrays beside it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from cups_train.errors import ModelError
from cups_train.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

CELLS = "cells."  # before the names of tensors that belong to the centres


@dataclass(frozen=True, eq=False)
class EncoderFile:
    """What encoder.safetensors holds."""

    card: Mapping[str, Any]  # spec (with K), height, windows, refine, cells, and where it comes from
    network: Mapping[str, Tensor]
    cells: Mapping[str, Tensor]  # centres of the clusters; empty where a head names them


@dataclass(frozen=True, eq=False)
class LearnedClasses:
    """The clusters of a semantics folder."""

    count: int  # K
    # (K, C) float32 in scaled channels of a descriptor; None: a head names the clusters
    centres: np.ndarray | None
    # (K, code) float32 in the head's code; None: there is no head
    codes: np.ndarray | None = None

    @property
    def looks(self) -> np.ndarray | None:
        """(K, C) what the clusters look like, however they were found."""
        return self.codes if self.centres is None else self.centres


def encoder_path(folder: Path) -> Path:
    return folder / "encoder.safetensors"


def sheet_path(folder: Path) -> Path:
    return folder / "classes.jpg"


def class_map_path(folder: Path, key: str) -> Path:
    """folder: of one recording, NAME."""
    return folder / f"{key}.png"


def write_encoder(folder: Path, content: EncoderFile) -> None:
    from safetensors.torch import save_file

    tensors = {
        **{name: value.contiguous().cpu() for name, value in content.network.items()},
        **{CELLS + name: value for name, value in content.cells.items()},
    }
    write_atomically(
        encoder_path(folder), lambda beside: save_file(tensors, beside, metadata={"cups": json.dumps(content.card)})
    )


def read_encoder(folder: Path) -> EncoderFile:
    """Raises ModelError where the file is missing or damaged."""
    with reading_encoder(folder), safe_open(encoder_path(folder), "pt", device="cpu") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        return EncoderFile(
            _card(file),
            {name: value for name, value in tensors.items() if not name.startswith(CELLS)},
            {name.removeprefix(CELLS): value for name, value in tensors.items() if name.startswith(CELLS)},
        )


def read_classes(folder: Path) -> LearnedClasses:
    """K and the centres, without the network. Raises ModelError where the file is missing or damaged, or the centres
    are not of K classes."""
    with reading_encoder(folder), safe_open(encoder_path(folder), "numpy") as file:
        card = _card(file)
        count = int(card["spec"]["classes"])
        if card["cells"] is not None:
            return LearnedClasses(count, _of_all(file.get_tensor(CELLS + "centres"), count))
        if "centres" not in file.keys():
            return LearnedClasses(count, None)
        return LearnedClasses(count, None, _of_all(file.get_tensor("centres"), count))


def _of_all(centres: np.ndarray, count: int) -> np.ndarray:
    """(K, C) as they are. Raises ValueError where they are not of `count` clusters."""
    if len(centres) != count:
        raise ValueError(f"{len(centres)} centres of {count} clusters")
    return centres


@contextmanager
def reading_encoder(folder: Path) -> Iterator[None]:
    """What goes wrong while encoder.safetensors is read, or a network is built from it, is raised as ModelError."""
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"expected an encoder written by `cups-train pseudo-label` in {encoder_path(folder)}, found {error}; "
            "run that command again"
        ) from error


def _card(file: Any) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((file.metadata() or {})["cups"])
    return card


def state_path(folder: Path) -> Path:
    """Where a stopped training goes on from; it is removed at the end."""
    return folder / "state"


def state_key_path(state: Path) -> Path:
    """Of which training the state is."""
    return state / "key.json"


def training_folder(state: Path, name: str) -> Path:
    """Of the training NAME: views, classes or head."""
    return state / name


def class_counts_path(state: Path) -> Path:
    """(K,) cells of each cluster."""
    return state / "counts.npy"


def frame_path(state: Path, recording: str, key: str) -> Path:
    """A prepared frame; what is computed of it lies beside it."""
    return state / recording / f"{key}.npz"


def features_path(frame: Path) -> Path:
    """(channels + 1, h/4, w/4) float16: the encoder's features and the moving logit."""
    return frame.with_suffix(".features.npy")


def nearest_path(frame: Path) -> Path:
    """(h/4, w/4) uint8: index of each cell's nearest centre."""
    return frame.with_suffix(".nearest.npy")


def scene_path(frame: Path) -> Path:
    """(2, h', w') float32: inverse depth and height on the grid of dense features."""
    return frame.with_suffix(".scene.npy")


def dense_path(frame: Path, features: str) -> Path:
    """(C, h', w') float16 dense features of the name given."""
    return frame.with_suffix(f".{features}.npy")


def write_array(path: Path, array: np.ndarray) -> None:
    """An array of any shape; the file is whole or absent."""
    write_atomically(path, partial(_save, array=array))


def read_array(path: Path, mapped: bool = False) -> np.ndarray:
    """What `write_array` wrote, of any shape; `mapped`: parts are read when they are used."""
    array: np.ndarray = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    return array


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
