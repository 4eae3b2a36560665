"""Does ONNX Runtime answer as torch does?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from cups_ros.fusion import Letterbox, fuse
from cups_ros.model import Model, load_model
from cups_ros.types import RawOutput
from cups_train.errors import ModelError
from cups_train.network.model import PanopticNetwork

LOW_SCORE = 0.05  # rows below are never drawn


@dataclass(frozen=True)
class Limits:
    """Largest differences that a precision may make."""

    box: float  # px; rows further apart are no partners
    score: float
    mask: float
    semantic: float  # share of pixels, worst input
    unmatched: float  # share of the instances
    panoptic: float  # share of pixels with another class after the merge, worst input


LIMITS = {
    "fp32": Limits(box=0.05, score=1e-3, mask=1e-2, semantic=1e-3, unmatched=0.02, panoptic=0.01),
    "fp16": Limits(box=4.0, score=0.05, mask=0.2, semantic=0.01, unmatched=0.1, panoptic=0.02),
    # a rough guard: what counts is PQ on a recording
    "int8": Limits(box=16.0, score=0.5, mask=1.0, semantic=0.1, unmatched=0.4, panoptic=0.1),
}


@dataclass(frozen=True)
class Parity:
    """Largest differences over all inputs; instances are those from a score of 0.05 on."""

    inputs: int
    instances: int  # seen by torch, over all inputs
    unmatched: int  # instances of one side without a partner on the other
    box: float  # px
    score: float
    mask: float
    semantic: float  # share of pixels with another class, worst input
    panoptic: float = 0.0  # the same after the merge

    def require(self, limits: Limits = LIMITS["fp32"]) -> None:
        """Raises ModelError where the difference is more than the precision explains."""
        if (
            self.unmatched > max(1, self.instances * limits.unmatched)
            or self.box > limits.box
            or self.score > limits.score
            or self.mask > limits.mask
            or self.semantic > limits.semantic
            or self.panoptic > limits.panoptic
        ):
            raise ModelError(
                f"expected the same answers from ONNX Runtime and torch, found differences {asdict(self)} "
                f"beyond {asdict(limits)}; use the versions of torch, onnxscript and onnxruntime that cups pins, "
                "or export.precision=fp32"
            )


def compare(network: PanopticNetwork, folder: Path, images: list[np.ndarray]) -> Parity:
    """Run both on images (H, W, 3) uint8 of the network's input size."""
    model = load_model(folder, engines=("onnxruntime-cpu",))
    found = []
    reach = max(1.0, LIMITS[model.card["precision"]].box)
    for image in images:
        tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        first, second = network.infer(tensor).raw_output(0), model.raw(image)
        found.append(replace(difference(first, second, reach), panoptic=_panoptic_difference(model, first, second)))
    model.close()
    return Parity(
        sum(f.inputs for f in found),
        sum(f.instances for f in found),
        sum(f.unmatched for f in found),
        max(f.box for f in found),
        max(f.score for f in found),
        max(f.mask for f in found),
        max(f.semantic for f in found),
        max(f.panoptic for f in found),
    )


def difference(first: RawOutput, second: RawOutput, reach: float = 1.0) -> Parity:
    """Compare two answers to one image. Rows are paired by class and place, at most `reach` px apart: rows of equal
    score may change places."""
    rows, others = (np.flatnonzero(raw.scores >= LOW_SCORE) for raw in (first, second))
    free, worst, unmatched = set(others.tolist()), [0.0, 0.0, 0.0], 0
    for row in rows.tolist():
        gaps = {
            other: float(np.abs(first.boxes[row] - second.boxes[other]).max())
            for other in free
            if first.class_id[row] == second.class_id[other]
        }
        partner = min(gaps, key=gaps.__getitem__, default=None)
        if partner is None or gaps[partner] > reach:
            unmatched += not _at_the_limit(first.scores[row])
            continue
        free.discard(partner)
        worst = [
            max(worst[0], gaps[partner]),
            max(worst[1], float(abs(first.scores[row] - second.scores[partner]))),
            max(worst[2], float(np.abs(first.masks[row] - second.masks[partner]).max())),
        ]
    unmatched += sum(not _at_the_limit(second.scores[other]) for other in free)
    return Parity(
        1, len(rows), unmatched, worst[0], worst[1], worst[2], float((first.semantic != second.semantic).mean())
    )


def _panoptic_difference(model: Model, first: RawOutput, second: RawOutput) -> float:
    """Share of pixels with another class after the merge at the network's size."""
    view = Letterbox(model.input_size, model.input_size)
    maps = [fuse(raw, model.classes, model.thresholds, view).class_id for raw in (first, second)]
    return float((maps[0] != maps[1]).mean())


def probe_images(height: int, width: int, count: int = 4, seed: int = 7) -> list[np.ndarray]:
    """Images with structure at several scales: smooth noise with bright and dark shapes. (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(count):
        coarse = rng.integers(0, 256, (4 << number, 8 << number, 3), np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(8):
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            corner = (x + int(rng.integers(8, width // 3)), y + int(rng.integers(8, height // 3)))
            cv2.rectangle(image, (x, y), corner, [int(v) for v in rng.integers(0, 256, 3)], -1)
        images.append(image)
    return images


def _at_the_limit(score: float) -> bool:
    return abs(float(score) - LOW_SCORE) < LIMITS["fp32"].score
