"""A step whose gradient is not finite, kept with its network and batch, so that it can be computed again and looked
into."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cups_train.errors import CupsError
from cups_train.files import write_bytes
from cups_train.network import LossOptions, PanopticNetwork, load_checkpoint, save_checkpoint
from cups_train.training.batch import image_batch, target_of
from cups_train.training.randomness import torch_generator
from cups_train.training.sample import Sample

FOLDER = "failed"  # of a stage's folder


def keep(out: Path, step: int, network: PanopticNetwork, samples: Sequence[Sample]) -> Path:
    """Write out/failed/STEP.npz, the batch, and out/failed/STEP.safetensors, the network that met it; the former's
    path. `step` counts from 0."""
    path = out / FOLDER / f"{step:06d}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for row, sample in enumerate(samples):
        arrays |= {f"{row}_{name}": getattr(sample, name) for name in ("image", "semantic", "instance", "thing")}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())
    save_checkpoint(network, path.with_suffix(".safetensors"), step=step)
    return path


def read(path: Path) -> list[Sample]:
    """The batch of a failed step. Raises CupsError where the file is none."""
    try:
        with np.load(path, allow_pickle=False) as found:
            rows = len(found.files) // 4
            return [
                Sample(found[f"{n}_image"], found[f"{n}_semantic"], found[f"{n}_instance"], found[f"{n}_thing"])
                for n in range(rows)
            ]
    except (OSError, ValueError, KeyError) as error:
        raise CupsError(f"expected the batch of a failed step in {path}, found {error}") from error


def replay(path: Path, options: LossOptions, seed: int) -> dict[str, float]:
    """The losses of a failed step, by name, computed again by the network beside its batch in float32. options, seed:
    those of the training."""
    samples, network = read(path), load_checkpoint(path.with_suffix(".safetensors")).train()
    device = torch.device("cpu")
    step = int(path.stem)
    options = replace(options, generator=torch_generator(device, seed, "losses", step, 0))
    targets = [target_of(sample, device) for sample in samples]
    with torch.no_grad():
        losses = network.losses(image_batch([s.image for s in samples], device), targets, options)
    return {name: float(value) for name, value in losses.items()}
