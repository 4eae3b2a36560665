"""A cell's descriptor: everything that is known of it, hand-made and learned, in one vector. Descriptors are what is
clustered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cups_train.folders.semantics import features_path, read_array, write_array
from cups_train.network.encoder import Encoder, encode
from cups_train.progress import progress
from cups_train.semantics import averaging
from cups_train.semantics.clusters import Scaler
from cups_train.semantics.groups import IMAGE_GROUPS, RAISED, ROOT_INVERSE_DEPTH, SHAPE_GROUPS
from cups_train.semantics.prepared import load
from cups_train.semantics.principal import Moments, principal_components
from cups_train.types import ChannelGroup

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
    def groups(self) -> tuple[ChannelGroup, ...]:
        """All channels of a descriptor, in order."""
        moving = (ChannelGroup("moving", 1, MOVING_VARIANCE),) if self.with_moving else ()
        return (*IMAGE_GROUPS, *SHAPE_GROUPS, ChannelGroup("learned", len(self.axes), LEARNED_VARIANCE), *moving)


def encode_frames(encoder: Encoder, frames: Sequence[Path]) -> Projection:
    """Write every frame's features and moving logits beside it; gives the projection of the features."""
    moments, known = Moments(), False
    for path in progress(frames, "encode frames", len(frames)):
        frame = load(path)
        out = encode(encoder, frame.images[:1])
        planes = torch.cat([out.features[0], out.moving]).cpu().numpy()
        write_array(features_path(path), planes.astype(np.float16))
        moments.add(planes[:-1])
        known = known or bool((frame.moving >= 0).any())
    found = principal_components(moments)
    variance, axes = found.variance[:LEARNED], found.axes[:, :LEARNED]
    half_white = axes / np.maximum(variance, 1e-9 * variance[0]) ** 0.25
    return Projection(found.mean.astype(np.float32), np.ascontiguousarray(half_white.T, dtype=np.float32), known)


def read_descriptors(path: Path, projection: Projection) -> np.ndarray:
    """(C, h/4, w/4) float32 of a prepared frame that is encoded, as in `projection.groups`."""
    frame, planes = load(path), read_array(features_path(path)).astype(np.float32)
    return descriptors(frame.channels.astype(np.float32), frame.shape.astype(np.float32), planes, projection)


def descriptors(image: np.ndarray, shape: np.ndarray, planes: np.ndarray, projection: Projection) -> np.ndarray:
    """(C, h/4, w/4) float32: image, shape and learned channels, and the moving logit, averaged over surfaces; kerbs,
    which end within one, are not.

    image: (29, h/4, w/4) image channels; shape: (SHAPE, h/4, w/4); planes: (channels + 1, h/4, w/4) the encoder's
    features and, last, that logit.
    """
    height, width = planes.shape[1:]
    learned = projection.axes @ (planes[:-1].reshape(-1, height * width) - projection.mean[:, None])
    moving = [np.clip(planes[-1:], *MOVING_RANGE)] if projection.with_moving else []
    channels = np.concatenate([image, shape, learned.reshape(-1, height, width), *moving])
    averaged = averaging.average(channels, image[:3], shape[ROOT_INVERSE_DEPTH], projection.averaging)
    averaged[len(image) :][RAISED] = shape[RAISED]
    return averaged


def sample_descriptors(
    frames: Sequence[Path], projection: Projection, most: int, rng: np.random.Generator
) -> np.ndarray:
    """(N, C): of cells drawn evenly from all frames."""
    rows = []
    for path in progress(frames, "sample cells", len(frames)):
        channels = read_descriptors(path, projection)
        cells = channels.reshape(len(channels), -1).T
        rows.append(cells[rng.choice(len(cells), min(len(cells), max(1, most // len(frames))), replace=False)])
    return np.concatenate(rows)


def fit_scaler(rows: np.ndarray, projection: Projection) -> Scaler:
    """Standardises descriptors (N, C) with the variances of the groups; learned components keep their proportions."""
    start = sum(group.channels for group in (*IMAGE_GROUPS, *SHAPE_GROUPS))
    learned = slice(start, start + len(projection.axes))
    scaler = Scaler.fit(rows, projection.groups)
    spread = rows[:, learned].var(0).sum()
    scale = scaler.scale.copy()
    scale[learned] = np.sqrt(LEARNED_VARIANCE / max(float(spread), 1e-12))
    return Scaler(scaler.mean, scale)
