"""Clusters of cells by the nearest centre of their descriptors: what the encoder's class head alone cannot see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_train.network.encoder import Encoder, EncoderOutput
from cups_train.progress import progress
from cups_train.semantics.channels import image_channels
from cups_train.semantics.clusters import Clusters, Scaler, nearest, settle
from cups_train.semantics.descriptors import Projection, descriptors, encode_frames, fit_scaler, read_descriptors
from cups_train.semantics.guess import guessed_shape

SAMPLES = 60_000  # most cells that the centres are settled on
# of every channel of a cluster without cells, which then starts at the cell that is least like any cluster
UNUSED = 1e3
SHARPNESS = 4.0  # what a class loses for a squared distance as large as the mean one of a cell from its centre


@dataclass(frozen=True, eq=False)
class CellClasses:
    """Centres of the clusters, in scaled channels of a descriptor."""

    projection: Projection
    clusters: Clusters
    sharpness: float  # logit a unit of squared distance

    def log_probability(self, image: np.ndarray, shape: np.ndarray | None, out: EncoderOutput) -> np.ndarray:
        """(h, w, 3) uint8 RGB working image, its (SHAPE, h/4, w/4) channels and what the encoder says of it alone ->
        (K, h/4, w/4) float32.

        Where the shape is not known, it is what the encoder takes it to be.
        """
        if shape is None:
            shape = guessed_shape(out.shape[0].cpu().numpy(), self.clusters.scaler)
        planes = torch.cat([out.features[0], out.moving]).cpu().numpy()
        channels = descriptors(image_channels(image), shape, planes, self.projection)
        rows = self.clusters.scaler(channels.reshape(len(channels), -1).T)
        logits = -self.sharpness * self.clusters.distances(rows)
        logits -= logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return np.ascontiguousarray(logits.T).reshape(-1, *channels.shape[1:])

    def tensors(self) -> dict[str, Tensor]:
        """For safetensors; `from_tensors` reads them again. Centres are (K, C), mean and scale of the
        channels (C,)."""
        arrays = {
            "mean": self.projection.mean,
            "axes": self.projection.axes,
            "channel_mean": self.clusters.scaler.mean,
            "channel_scale": self.clusters.scaler.scale,
            "centres": self.clusters.centres,
        }
        return {name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in arrays.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "with_moving": self.projection.with_moving,
            "averaging": self.projection.averaging,
            "sharpness": self.sharpness,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> CellClasses:
        """What `tensors` gave: centres (K, C), and the others with them. Raises KeyError or ValueError where they do
        not fit."""
        mean, axes, channel_mean, channel_scale, centres = (
            tensors[name].numpy() for name in ("mean", "axes", "channel_mean", "channel_scale", "centres")
        )
        projection = Projection(mean, axes, bool(card["with_moving"]), int(card["averaging"]))
        count = sum(group.channels for group in projection.groups)
        if not count == len(channel_mean) == len(channel_scale) == centres.shape[1]:
            raise ValueError(f"centres of {centres.shape[1]} channels where this version describes a cell with {count}")
        clusters = Clusters(Scaler(channel_mean, channel_scale), centres)
        return cls(projection, clusters, float(card["sharpness"]))


def fit_cells(
    encoder: Encoder,
    frames: Sequence[Path],
    nearest_centres: Iterable[np.ndarray],
    count: int,
    rng: np.random.Generator,
) -> CellClasses:
    """Centres of the clusters that the training frames' cells are in, in what the trained encoder says of them, and
    Lloyd's steps from there.

    nearest_centres: (h/4, w/4) 0..count-1 of every frame. What the encoder learned since it was clustered makes better
    clusters.
    """
    projection = encode_frames(encoder, frames)
    samples: list[np.ndarray] = []
    total, cells = np.zeros((count, sum(group.channels for group in projection.groups))), np.zeros(count, np.int64)
    most = max(1, SAMPLES // len(frames))
    for path, ids in progress(zip(frames, nearest_centres, strict=True), "centres", len(frames)):
        channels = read_descriptors(path, projection).reshape(-1, ids.size)
        samples.append(channels[:, rng.permutation(ids.size)[:most]].T)
        cells += np.bincount(ids.ravel(), minlength=count)
        total += np.stack([np.bincount(ids.ravel(), weights=plane, minlength=count) for plane in channels], 1)
    rows = np.concatenate(samples)
    scaler = fit_scaler(rows, projection)
    rows, centres = scaler(rows), scaler(total / np.maximum(cells, 1)[:, None])
    centres[cells == 0] = UNUSED
    centres = settle(rows, centres)
    return CellClasses(
        projection, Clusters(scaler, centres), SHARPNESS / max(float(nearest(rows, centres)[1].mean()), 1e-6)
    )
