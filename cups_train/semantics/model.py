"""The trained classifier: one image, with or without disparity, to a map of pseudo classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from cups_train.device import torch_device
from cups_train.folders.semantics import EncoderFile, read_encoder, reading_encoder, write_encoder
from cups_train.geometry.resize import resize
from cups_train.network.encoder import Encoder, EncoderOutput, EncoderSpec, encode
from cups_train.semantics.cells import CellClasses
from cups_train.semantics.channels import CELL, working_size
from cups_train.semantics.head.network import HeadNetwork, HeadSpec
from cups_train.semantics.refine import Method, refine
from cups_train.semantics.shape import cell_disparity, scene_shape
from cups_train.semantics.windows import blend, starts, whole_weight
from cups_train.types import StereoCamera

ZOOM = 1.5  # of the windows against the whole image
MONOCULAR_WEIGHT = 0.3  # of the whole image where depth is unknown
FINEST = 2.0  # largest height of the refined map, in working heights
WINDOWS_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class SemanticModel:
    """The encoder of one run and how it is applied. Class ids are 1..K."""

    encoder: Encoder | HeadNetwork
    height: int  # working height, px
    windows: bool = True
    refine: Method = "crf"
    cells: CellClasses | None = None  # what geometry adds, measured or as the encoder takes it to be

    @property
    def classes(self) -> int:
        return self.encoder.spec.classes

    def classify(
        self, image: np.ndarray, disparity: np.ndarray | None = None, camera: StereoCamera | None = None
    ) -> np.ndarray:
        """(H, W, 3) uint8 RGB of any size -> (H, W) uint8, ids 1..K.

        disparity: (H, W) float32 px, 0 = infinitely far, NaN = unknown, used together with its camera; without them one
        image is enough.
        """
        height, width = image.shape[:2]
        h, w = working_size(height, width, self.height)
        working = resize(image, h, w)
        filled = cells = shape = None
        if disparity is not None and camera is not None:
            known = disparity if disparity.shape == (h, w) else cell_disparity(disparity, h, w)
            shape, filled = scene_shape(known, camera.scaled(h, w), (h // CELL, w // CELL), np.random.default_rng(0))
        seen = shape if isinstance(self.encoder, HeadNetwork) and self.encoder.sees_shape else None
        out = encode(self.encoder, working[None], None, *_as_batch(seen))
        log_probability = torch.log_softmax(out.logits, 1)[0].cpu().numpy()
        if self.cells is not None and isinstance(out, EncoderOutput):
            cells = self.cells.log_probability(working, shape, out)
        if self.windows:
            depth_scale = camera.scaled(h // CELL, w // CELL).depth_scale if camera is not None else 1.0
            log_probability = self._with_windows(image, log_probability, filled, depth_scale, seen)
        if cells is not None:
            log_probability = agreed(log_probability, cells)
        finest = max(1.0, height / (FINEST * self.height))
        guide = resize(image, round(height / finest), round(width / finest))
        ids = refine(np.exp(log_probability), guide, self.refine)
        return (
            ids if ids.shape == (height, width) else cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST)
        )

    def _with_windows(
        self,
        image: np.ndarray,
        whole: np.ndarray,
        disparity: np.ndarray | None,
        depth_scale: float,
        shape: np.ndarray | None,
    ) -> np.ndarray:
        """Mix with windows of a larger picture: they see far things better, the whole sees near ones.

        image: (H, W, 3); whole: (K, h/4, w/4) log-probabilities; disparity: (h/4, w/4) px; shape: (SHAPE, h/4, w/4)
        that the network sees -> (K, h'/4, w'/4).
        """
        height, width = working_size(image.shape[0], image.shape[1], round(self.height * ZOOM))
        size = working_size(2, 3, self.height)
        size = min(height, size[0]), min(width, size[1])
        large = resize(image, height, width)
        corners = [
            (y, x) for y in starts(height, size[0], size[0] // 2) for x in starts(width, size[1], size[1] * 3 // 4)
        ]
        corners = [(y // CELL * CELL, x // CELL * CELL) for y, x in corners]
        cells = height // CELL, width // CELL
        parts = self._log_probabilities(*_cut(large, shape, corners, size))
        fine = blend(parts, [(y // CELL, x // CELL) for y, x in corners], *cells)
        coarse = np.stack([cv2.resize(plane, cells[::-1]) for plane in whole])
        weight = (
            MONOCULAR_WEIGHT if disparity is None else cv2.resize(whole_weight(disparity, depth_scale), cells[::-1])
        )
        return coarse * weight + fine * (1 - weight)

    def _log_probabilities(self, images: np.ndarray, rows: np.ndarray, shapes: np.ndarray | None) -> np.ndarray:
        """(N, h, w, 3) uint8, rows (N, h) -1..1, shapes (N, SHAPE, h/4, w/4) or none -> (N, K, h/4, w/4) float32."""
        parts = []
        for i in range(0, len(images), WINDOWS_AT_ONCE):
            part = slice(i, i + WINDOWS_AT_ONCE)
            seen = () if shapes is None else (torch.from_numpy(shapes[part]),)
            logits = encode(self.encoder, images[part], rows[part], *seen).logits
            parts.append(torch.log_softmax(logits, 1).cpu().numpy())
        return np.concatenate(parts)


class Windows(NamedTuple):
    """Parts of a picture for the network."""

    images: np.ndarray  # (N, h, w, 3) uint8
    rows: np.ndarray  # (N, h) float32, -1 to 1
    shapes: np.ndarray | None  # (N, SHAPE, h/4, w/4)


def _cut(image: np.ndarray, shape: np.ndarray | None, corners: list[tuple[int, int]], size: tuple[int, int]) -> Windows:
    """Windows of `size` at `corners` (y, x) of an image (H, W, 3); shape: (SHAPE, h, w) of it, of any size."""
    (height, width), (h, w) = image.shape[:2], size
    rows = np.linspace(-1, 1, height, dtype=np.float32)
    images = np.stack([image[y : y + h, x : x + w] for y, x in corners])
    shapes = None
    if shape is not None:
        large = np.stack([cv2.resize(plane, (width // CELL, height // CELL)) for plane in shape])
        shapes = np.stack([large[:, y // CELL : (y + h) // CELL, x // CELL : (x + w) // CELL] for y, x in corners])
    return Windows(images, np.stack([rows[y : y + h] for y, _ in corners]), shapes)


def _as_batch(planes: np.ndarray | None) -> tuple[torch.Tensor, ...]:
    """(C, h, w), or none of them -> what `encode` takes beside one image."""
    return () if planes is None else (torch.from_numpy(planes)[None],)


def agreed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log-probabilities (K, h, w) of two independent witnesses, the second enlarged to the first's size -> (K, h, w),
    normalised."""
    size = first.shape[:0:-1]
    total = np.stack([a + cv2.resize(b, size) for a, b in zip(first, second, strict=True)])
    total -= total.max(0)
    total -= np.log(np.exp(total).sum(0))
    return total


def save(model: SemanticModel, folder: Path, more: dict[str, object]) -> None:
    """FOLDER/encoder.safetensors; its metadata hold what is needed to build the model again, and `more`."""
    card = {
        "format": 1,
        "spec": model.encoder.spec.to_json(),
        "height": model.height,
        "windows": model.windows,
        "refine": model.refine,
        "cells": None if model.cells is None else model.cells.to_json(),
        **more,
    }
    write_encoder(
        folder, EncoderFile(card, model.encoder.state_dict(), {} if model.cells is None else model.cells.tensors())
    )


def load(folder: Path, device: str) -> SemanticModel:
    """Read FOLDER/encoder.safetensors. Raises ModelError."""
    content = read_encoder(folder)
    with reading_encoder(folder):
        card = content.card
        encoder = (
            HeadNetwork(HeadSpec(**card["spec"]))
            if "features" in card["spec"]
            else Encoder(EncoderSpec.from_json(card["spec"]))
        )
        encoder.load_state_dict(content.network)
        # a head needs none
        cells = None if card["cells"] is None else CellClasses.from_tensors(content.cells, card["cells"])
        if cells is not None and cells.clusters.count != encoder.spec.classes:
            raise ValueError(f"{cells.clusters.count} centres of {encoder.spec.classes} clusters")
        model = SemanticModel(encoder, int(card["height"]), bool(card["windows"]), card["refine"], cells)
    encoder.eval().to(torch_device(device), memory_format=torch.channels_last)
    return model
