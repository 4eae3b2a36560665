"""Frozen features and the scene of every frame on disk, crops of them, and the crops that are most alike."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cups_train.files import write_atomically
from cups_train.progress import progress
from cups_train.semantics.channels import resize
from cups_train.semantics.describe import save_array
from cups_train.semantics.features import DescribedFeatures, FeatureNetwork
from cups_train.semantics.prepared import Prepared, load
from cups_train.semantics.shape import HEIGHT
from cups_train.types import StereoCamera

SIDE = 0.75  # of a crop, share of the height
NEIGHBOURS = 7  # crops that may be a crop's partner
NEAR = 2  # frames to each side of a crop's own that give no partner: they show the same


@dataclass(frozen=True, eq=False)
class DenseFrame:
    """One frame's features and scene on the grid of the features."""

    path: Path  # of the prepared frame; features and scene lie beside it
    camera: StereoCamera  # at the size of the grid
    kind: str  # of the features

    def features(self) -> np.ndarray:
        """(C, h, w) float16, mapped."""
        return np.load(_features_path(self.path, self.kind), mmap_mode="r", allow_pickle=False)

    def inverse_depth(self) -> np.ndarray:
        """(h, w) float32 1/m; 0 = infinitely far."""
        return self._scene()[0]

    def height(self) -> np.ndarray:
        """(h, w) float32 metres over the ground."""
        return self._scene()[1]

    def _scene(self) -> np.ndarray:
        planes: np.ndarray = np.load(_scene_path(self.path), mmap_mode="r", allow_pickle=False)
        return planes


@dataclass(frozen=True)
class Crop:
    """A square of a frame's grid."""

    frame: int
    top: int
    left: int
    side: int

    def of(self, maps: np.ndarray) -> np.ndarray:
        """(..., h, w) -> (..., side, side) float32."""
        return np.asarray(maps[..., self.top:self.top + self.side, self.left:self.left + self.side], np.float32)


def dense_features(network: FeatureNetwork, image: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB working image and its (SHAPE, h/4, w/4) shape channels, for networks that see them -> (C, h', w') float32."""
    seen = (torch.from_numpy(np.ascontiguousarray(shape, np.float32))[None],) if isinstance(network, DescribedFeatures) else ()
    device = next(network.parameters()).device
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device).float() / 255
        rows = torch.linspace(-1, 1, image.shape[0], device=device)[None, None, :, None].expand(1, 1, -1, image.shape[1])
        return network(pixels, rows, *(planes.to(device) for planes in seen))[0].float().cpu().numpy()


def write_dense(network: FeatureNetwork, frames: Sequence[Path], cameras: Sequence[StereoCamera]) -> list[DenseFrame]:
    """Features, inverse depth and height beside every prepared frame; what is there stays. cameras: of the recordings, at any size."""
    dense, kind = [], str(network.to_json()["kind"])
    for path, camera in progress(list(zip(frames, cameras, strict=True)), "dense features", len(frames)):
        if not (_features_path(path, kind).exists() and _scene_path(path).exists()):
            frame = load(path)
            features = dense_features(network, frame.images[0], frame.shape)
            write_atomically(_scene_path(path), partial(save_array, array=_scene(frame, camera, features.shape[1:])))
            write_atomically(_features_path(path, kind), partial(save_array, array=features.astype(np.float16)))
        height, width = np.load(_scene_path(path), mmap_mode="r", allow_pickle=False).shape[1:]
        dense.append(DenseFrame(path, camera.scaled(height, width), kind))
    return dense


def _scene(frame: Prepared, camera: StereoCamera, size: tuple[int, ...]) -> np.ndarray:
    """(2, *size) inverse depth and height."""
    working = camera.scaled(*frame.images.shape[1:3])
    return np.stack([resize(frame.disparity.astype(np.float32) / np.float32(working.depth_scale), *size),
                     resize(frame.shape[HEIGHT].astype(np.float32), *size)])


def five_crops(frame: int, height: int, width: int) -> list[Crop]:
    """The four corners and the centre."""
    side = max(1, min(round(SIDE * height), width))
    down, right = height - side, width - side
    return [Crop(frame, y, x, side) for y, x in ((0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2))]


def neighbours(means: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(N, C) means of the crops' features and (N,) their frames -> (N, NEIGHBOURS) indices of the crops most alike (cosine), the nearest first.

    Crops of the same and of adjacent frames are left out where there are enough others.
    """
    unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    count = min(NEIGHBOURS, len(means) - 1)
    found = np.empty((len(means), count), np.int64)
    for i, row in enumerate(unit):
        cosine = unit @ row
        near = np.abs(frames - frames[i]) <= NEAR
        cosine[near if (~near).sum() >= count else np.arange(len(means)) == i] = -np.inf
        found[i] = np.argsort(-cosine, kind="stable")[:count]
    return found


def _features_path(frame: Path, kind: str) -> Path:
    return frame.with_suffix(f".{kind}.npy")


def _scene_path(frame: Path) -> Path:
    return frame.with_suffix(".scene.npy")
