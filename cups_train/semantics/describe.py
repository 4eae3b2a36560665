"""Everything that is known of a cell, hand-made and learned, in one vector: what is clustered."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cups_train.files import write_atomically
from cups_train.progress import progress
from cups_train.semantics import averaging
from cups_train.semantics.channels import IMAGE_GROUPS
from cups_train.semantics.clusters import Scaler
from cups_train.semantics.encoder import Encoder, encode
from cups_train.semantics.prepared import load
from cups_train.semantics.shape import RAISED, ROOT_INVERSE_DEPTH, SHAPE_GROUPS

LEARNED = 24  # principal components of the encoder's features
LEARNED_VARIANCE, MOVING_VARIANCE = 1.5, 1.5  # of the groups, beside those of IMAGE_GROUPS and SHAPE_GROUPS
MOVING_RANGE = (-6.0, 4.0)  # logits are clipped


@dataclass(frozen=True, eq=False)
class Projection:
    """Half-whitened principal components of the encoder's features."""

    mean: np.ndarray  # (channels,) float32
    axes: np.ndarray  # (LEARNED, channels) float32
    with_moving: bool  # motion was known in training, so that its logit tells something
    averaging: int = averaging.STEPS  # over cells of one surface, of all channels; 0: none

    @property
    def groups(self) -> tuple[tuple[str, int, float], ...]:
        """(name, channels, variance of the group) of all channels of `describe`, in order."""
        moving = (("moving", 1, MOVING_VARIANCE),) if self.with_moving else ()
        return (*IMAGE_GROUPS, *SHAPE_GROUPS, ("learned", len(self.axes), LEARNED_VARIANCE), *moving)


def encode_frames(encoder: Encoder, frames: Sequence[Path]) -> Projection:
    """Write every frame's features and moving logits beside it; gives the projection of the features."""
    count, total, square = 0, 0.0, 0.0
    known = False
    for path in progress(frames, "encode frames", len(frames)):
        frame = load(path)
        out = encode(encoder, frame.images[:1])
        planes = torch.cat([out.features[0], out.moving]).cpu().numpy()
        write_atomically(_features_path(path), partial(save_array, array=planes.astype(np.float16)))
        rows = planes[:-1].reshape(len(planes) - 1, -1).T.astype(np.float64)
        count, total, square = count + len(rows), total + rows.sum(0), square + rows.T @ rows
        known = known or bool((frame.moving >= 0).any())
    mean = np.asarray(total) / count
    variance, axes = np.linalg.eigh(np.asarray(square) / count - np.outer(mean, mean))
    variance, axes = variance[::-1][:LEARNED], axes[:, ::-1][:, :LEARNED]
    half_white = axes / np.maximum(variance, 1e-9 * variance[0]) ** 0.25
    return Projection(mean.astype(np.float32), np.ascontiguousarray(half_white.T, dtype=np.float32), known)


def describe(path: Path, projection: Projection) -> np.ndarray:
    """(C, h/4, w/4) float32 of a prepared frame, as in `projection.groups`."""
    frame, planes = load(path), np.load(_features_path(path), allow_pickle=False).astype(np.float32)
    return join(frame.channels.astype(np.float32), frame.shape.astype(np.float32), planes, projection)


def join(image: np.ndarray, shape: np.ndarray, planes: np.ndarray, projection: Projection) -> np.ndarray:
    """(C, h/4, w/4) float32: image, shape and learned channels, and the moving logit, averaged over surfaces; kerbs, which end within one, are not.

    planes: the encoder's features and, last, that logit.
    """
    height, width = planes.shape[1:]
    learned = projection.axes @ (planes[:-1].reshape(-1, height * width) - projection.mean[:, None])
    moving = [np.clip(planes[-1:], *MOVING_RANGE)] if projection.with_moving else []
    channels = np.concatenate([image, shape, learned.reshape(-1, height, width), *moving])
    averaged = averaging.average(channels, image[:3], shape[ROOT_INVERSE_DEPTH], projection.averaging)
    averaged[len(image):][RAISED] = shape[RAISED]
    return averaged


def sample_cells(frames: Sequence[Path], projection: Projection, most: int, rng: np.random.Generator) -> np.ndarray:
    """(N, C): cells drawn evenly from all frames."""
    rows = []
    for path in progress(frames, "sample cells", len(frames)):
        channels = describe(path, projection)
        cells = channels.reshape(len(channels), -1).T
        rows.append(cells[rng.choice(len(cells), min(len(cells), max(1, most // len(frames))), replace=False)])
    return np.concatenate(rows)


def fit_scaler(rows: np.ndarray, projection: Projection) -> Scaler:
    """Standardised channels with the variances of the groups; learned components keep their proportions."""
    start = sum(channels for name, channels, _ in (*IMAGE_GROUPS, *SHAPE_GROUPS))
    learned = slice(start, start + len(projection.axes))
    scaler = Scaler.fit(rows, projection.groups)
    spread = rows[:, learned].var(0).sum()
    scale = scaler.scale.copy()
    scale[learned] = np.sqrt(LEARNED_VARIANCE / max(float(spread), 1e-12))
    return Scaler(scaler.mean, scale)


def save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)


def _features_path(frame: Path) -> Path:
    return frame.with_suffix(".features.npy")
