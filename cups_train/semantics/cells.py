"""Classes of cells by their nearest centre in everything that is known of a cell: what the encoder's class head alone cannot see."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_train.progress import progress
from cups_train.semantics.channels import image_channels
from cups_train.semantics.clusters import Clusters, Scaler, kmeans, nearest
from cups_train.semantics.describe import Projection, describe, encode_frames, fit_scaler, join
from cups_train.semantics.encoder import Encoder, EncoderOutput
from cups_train.semantics.guess import guessed_shape
from cups_train.semantics.merging import FINE

SAMPLES = 60_000  # most cells that are clustered
NOWHERE = 1e3  # every channel of the centre of a class that most cells of no cluster have
SHARPNESS = 4.0  # what a class loses for a squared distance as large as the mean one of a cell from its centre
PREFIX = "cells."  # of the tensors' names on disk


@dataclass(frozen=True, eq=False)
class CellClasses:
    """Centres of the classes, in scaled channels of `describe`."""

    projection: Projection
    clusters: Clusters
    sharpness: float  # logit a unit of squared distance

    def log_probability(self, image: np.ndarray, shape: np.ndarray | None, out: EncoderOutput) -> np.ndarray:
        """(h, w, 3) uint8 RGB working image, its (SHAPE, h/4, w/4) channels and what the encoder says of it alone -> (K, h/4, w/4) float32.

        Where the shape is not known, it is what the encoder takes it to be.
        """
        if shape is None:
            shape = guessed_shape(out.shape[0].cpu().numpy(), self.clusters.scaler)
        planes = torch.cat([out.features[0], out.moving]).cpu().numpy()
        channels = join(image_channels(image), shape, planes, self.projection)
        rows = self.clusters.scaler(channels.reshape(len(channels), -1).T)
        logits = -self.sharpness * self.clusters.class_distances(rows)
        logits -= logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return np.ascontiguousarray(logits.T).reshape(-1, *channels.shape[1:])

    def tensors(self) -> dict[str, Tensor]:
        """For safetensors; `from_tensors` reads them again."""
        arrays = {"mean": self.projection.mean, "axes": self.projection.axes, "channel_mean": self.clusters.scaler.mean,
                  "channel_scale": self.clusters.scaler.scale, "centres": self.clusters.centres, "classes": self.clusters.classes}
        return {PREFIX + name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in arrays.items()}

    def to_json(self) -> dict[str, Any]:
        return {"with_moving": self.projection.with_moving, "averaging": self.projection.averaging, "sharpness": self.sharpness}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> CellClasses:
        """Raises KeyError or ValueError where they do not fit."""
        mean, axes, channel_mean, channel_scale, centres = (
            tensors[PREFIX + name].numpy() for name in ("mean", "axes", "channel_mean", "channel_scale", "centres"))
        projection = Projection(mean, axes, bool(card["with_moving"]), int(card.get("averaging", 0)))  # earlier versions did not average
        count = sum(channels for _, channels, _ in projection.groups)
        if not count == len(channel_mean) == len(channel_scale) == centres.shape[1]:
            raise ValueError(f"centres of {centres.shape[1]} channels where this version describes a cell with {count}")
        classes = tensors[PREFIX + "classes"].numpy() if PREFIX + "classes" in tensors else np.arange(len(centres))  # earlier versions had one each
        return cls(projection, Clusters(Scaler(channel_mean, channel_scale), centres, classes.astype(np.int64)), float(card["sharpness"]))


def fit_cells(encoder: Encoder, frames: Sequence[Path], classes: Iterable[np.ndarray], count: int, rng: np.random.Generator) -> CellClasses:
    """k-means anew in what the trained encoder says of the training frames' cells; each centre is of the class that most of its cells have.

    classes: (h/4, w/4) 0..count-1 of every frame. What the encoder learned since it was clustered makes better clusters; a class keeps its id.
    """
    projection = encode_frames(encoder, frames)
    samples, names = [], []
    most = max(1, SAMPLES // len(frames))
    for path, ids in progress(zip(frames, classes, strict=True), "centres", len(frames)):
        drawn = rng.permutation(ids.size)[:most]
        samples.append(describe(path, projection).reshape(-1, ids.size)[:, drawn].T)
        names.append(ids.ravel()[drawn])
    rows = np.concatenate(samples)
    scaler = fit_scaler(rows, projection)
    rows = scaler(rows)
    centres, spread = kmeans(rows, min(max(count, FINE), len(rows)), rng)
    named = _named(nearest(rows, centres)[0], np.concatenate(names), len(centres), count)
    unseen = np.setdiff1d(np.arange(count), named)
    centres = np.concatenate([centres, np.full((len(unseen), centres.shape[1]), NOWHERE, np.float32)])
    return CellClasses(projection, Clusters.of(scaler, centres, np.concatenate([named, unseen])), SHARPNESS / max(spread, 1e-6))


def _named(index: np.ndarray, names: np.ndarray, centres: int, count: int) -> np.ndarray:
    """(N,) nearest centre and class of every cell -> (centres,) class that most cells of each have."""
    votes = np.bincount(index * count + names, minlength=centres * count).reshape(centres, count)
    return np.asarray(votes.argmax(1))
