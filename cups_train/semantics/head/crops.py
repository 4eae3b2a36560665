"""Frozen features and the scene of every frame on disk, crops of them, and the crops that are most alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cups_train.folders.semantics import dense_path, read_array, scene_path, write_array
from cups_train.geometry.resize import resize
from cups_train.progress import progress
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.network import FeatureNetwork
from cups_train.semantics.groups import HEIGHT
from cups_train.semantics.prepared import Prepared, PreparedFrames, load
from cups_train.types import StereoCamera

SIDE = 0.75  # of a crop, share of the height
NEIGHBOURS = 7  # crops that may be a crop's partner
NEAR = 2  # frames to each side of a crop's own that give no partner: they show the same


@dataclass(frozen=True, eq=False)
class DenseFrame:
    """One frame's features and scene on the grid of the features."""

    path: Path  # of the prepared frame; features and scene lie beside it
    camera: StereoCamera  # at the size of the grid
    name: str  # of the features

    def features(self) -> np.ndarray:
        """(C, h, w) float16, mapped."""
        return read_array(dense_path(self.path, self.name), mapped=True)

    def inverse_depth(self) -> np.ndarray:
        """(H, W) float32 1/m of the grid; 0 = infinitely far."""
        return self._scene()[0]

    def height(self) -> np.ndarray:
        """(H, W) float32 metres of the grid over the ground."""
        return self._scene()[1]

    def _scene(self) -> np.ndarray:
        """(2, h, w)."""
        return read_array(scene_path(self.path), mapped=True)


@dataclass(frozen=True)
class Crop:
    """A square of a frame's grid."""

    frame: int
    top: int
    left: int
    side: int

    def of(self, maps: np.ndarray) -> np.ndarray:
        """(..., h, w) -> (..., side, side) float32."""
        return np.asarray(maps[..., self.top : self.top + self.side, self.left : self.left + self.side], np.float32)


def dense_features(network: FeatureNetwork, image: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB working image and its (SHAPE, h/4, w/4) shape channels, for networks that see them -> (C, h',
    w') float32."""
    seen = (
        (torch.from_numpy(np.ascontiguousarray(shape, np.float32))[None],)
        if isinstance(network, DescribedFeatures)
        else ()
    )
    device = next(network.parameters()).device
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device).float() / 255
        rows = torch.linspace(-1, 1, image.shape[0], device=device)[None, None, :, None].expand(
            1, 1, -1, image.shape[1]
        )
        return network(pixels, rows, *(planes.to(device) for planes in seen))[0].float().cpu().numpy()


def write_dense(network: FeatureNetwork, frames: PreparedFrames) -> list[DenseFrame]:
    """Features, inverse depth and height beside every prepared frame; what is there stays."""
    dense, name = [], str(network.to_json()["kind"])
    for path, camera in progress(
        list(zip(frames.paths, frames.cameras, strict=True)), "dense features", len(frames.paths)
    ):
        if not (dense_path(path, name).exists() and scene_path(path).exists()):
            frame = load(path)
            features = dense_features(network, frame.images[0], frame.shape)
            write_array(scene_path(path), _scene(frame, camera, features.shape[1:]))
            write_array(dense_path(path, name), features.astype(np.float16))
        height, width = read_array(scene_path(path), mapped=True).shape[1:]
        dense.append(DenseFrame(path, camera.scaled(height, width), name))
    return dense


def _scene(frame: Prepared, camera: StereoCamera, size: tuple[int, ...]) -> np.ndarray:
    """(2, *size) inverse depth and height."""
    working = camera.scaled(*frame.images.shape[1:3])
    return np.stack(
        [
            resize(frame.disparity.astype(np.float32) / np.float32(working.depth_scale), *size),
            resize(frame.shape[HEIGHT].astype(np.float32), *size),
        ]
    )


def five_crops(frame: int, height: int, width: int) -> list[Crop]:
    """The four corners and the centre."""
    side = max(1, min(round(SIDE * height), width))
    down, right = height - side, width - side
    return [Crop(frame, y, x, side) for y, x in ((0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2))]


def neighbours(means: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(N, C) means of the crops' features and (N,) their frames -> (N, NEIGHBOURS) indices of the crops most alike
    (cosine), the nearest first.

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
