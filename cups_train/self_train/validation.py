"""Is one network better than another, without labels? The same surface should be the same thing in the next image and
in the other camera.

Panoptic quality of an answer against the answer to another image of the same scene, fetched along optical flow or
through disparity. It is the mean over the classes that stage 2's network shows there: who loses a class, or an object
that was seen twice, loses by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from cups_ros.fusion import fuse, letterbox
from cups_ros.types import Panoptic, Thresholds
from cups_train.evaluation.consistency import Comparison, compare
from cups_train.evaluation.metrics.panoptic_quality import panoptic_quality
from cups_train.flow.dis import optical_flow
from cups_train.flow.sgm import disparity
from cups_train.geometry.warp import warp
from cups_train.network.model import PanopticNetwork
from cups_train.picks import evenly_spaced
from cups_train.recording import Recording
from cups_train.training.batch import image_batch
from cups_train.types import StereoFrame

MARGIN = 0.02  # by which stage 2's network must be beaten: the best of four was 1.2 points ahead where it was no better


@dataclass(frozen=True, eq=False)
class Scene:
    """One frame, and how the next image and the other camera's are fetched onto it."""

    images: tuple[np.ndarray, ...]  # (H, W, 3) uint8 RGB: left, the next left, right
    flows: tuple[np.ndarray, ...]  # (H, W, 2) float32 px, from the left image to each other one
    vouched: tuple[np.ndarray, ...]  # (H, W) bool


@dataclass(frozen=True)
class Agreement:
    """How a network answers."""

    over_time: float  # panoptic quality, 0..1
    over_cameras: float
    entropy: float  # of a pixel's classes, mean, in nats
    instances: float  # an image

    @property
    def worth(self) -> float:
        """What the networks are compared by."""
        return (self.over_time + self.over_cameras) / 2

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"agreement {100 * self.worth:.1f} ({100 * self.over_time:.1f} along flow, {100 * self.over_cameras:.1f} "
            "between cameras), "
            f"entropy {self.entropy:.2f}, {self.instances:.1f} instances an image"
        )


@dataclass(frozen=True, eq=False)
class Validation:
    """A bounded sample of the recordings."""

    scenes: tuple[Scene, ...]

    @classmethod
    def of(cls, recordings: Sequence[Recording], frames: int) -> Validation:
        """`frames` of all recordings, evenly spread, of those with a next one."""
        every = [(r, s.key, r.stamps[i + 1].key) for r in recordings for i, s in enumerate(r.stamps[:-1]) if s.follows]
        return cls(
            tuple(
                _scene(r.stereo(key), r.left(after))
                for r, key, after in (every[i] for i in evenly_spaced(len(every), frames))
            )
        )

    def judge(self, network: PanopticNetwork, shown: Sequence[int] | None = None) -> tuple[Agreement, list[int]]:
        """How it agrees with itself, as a mean over the classes `shown`, or over those that it shows itself; these
        classes."""
        over_time: list[Comparison] = []
        over_cameras: list[Comparison] = []
        entropy, instances = 0.0, 0
        for scene in self.scenes:
            answers, part = _answers(network, scene.images)
            entropy += part
            instances += sum(s.is_thing for answer in answers for s in answer.segments)
            for number, found in enumerate((over_time, over_cameras)):
                found.append(_compare(answers[0], answers[number + 1], scene.flows[number], scene.vouched[number]))
        is_thing, count = network.spec.classes.is_thing, max(1, len(self.scenes))
        qualities = [
            panoptic_quality([c.table for c in found], None, is_thing, "official")
            for found in (over_time, over_cameras)
        ]
        classes = list(shown) if shown is not None else sorted({c for quality in qualities for c in quality})
        means = [sum(quality[c].pq for c in classes if c in quality) / max(1, len(classes)) for quality in qualities]
        return Agreement(means[0], means[1], entropy / count, instances / (3 * count)), classes


@dataclass
class Contest:
    """The best network so far, by agreement: that of stage 2, or one that came after it. Its memory is JSON."""

    start: Agreement
    shown: list[int]  # classes over which agreement is a mean
    best: Agreement
    step: int = 0  # of the best; 0: stage 2's

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Contest:
        return cls(Agreement(**tree["start"]), tree["shown"], Agreement(**tree["best"]), tree["step"])

    def to_json(self) -> dict[str, Any]:
        return {"start": self.start.to_json(), "shown": self.shown, "best": self.best.to_json(), "step": self.step}

    def enter(self, found: Agreement, step: int) -> bool:
        """Whether a network is the best so far."""
        if found.worth <= self.best.worth or found.worth < self.start.worth + MARGIN:
            return False
        self.best, self.step = found, step
        return True

    def verdict(self) -> str:
        if self.step == 0:
            return (
                "stage 2's network is kept: no step of stage 3 beat its agreement with itself by "
                f"{100 * MARGIN:g} points: {self.start}"
            )
        return f"stage 3 agrees better with itself from step {self.step} on: {self.best}; stage 2: {self.start}"


def _scene(frame: StereoFrame, after: np.ndarray) -> Scene:
    flow, flow_ok = optical_flow(frame.left, after)
    found, ok = disparity(frame.left, frame.right)
    return Scene((frame.left, after, frame.right), (flow, np.stack([-found, np.zeros_like(found)], -1)), (flow_ok, ok))


def _answers(network: PanopticNetwork, images: tuple[np.ndarray, ...]) -> tuple[list[Panoptic], float]:
    """Panoptic maps of (H, W, 3) images of one size, and the mean entropy of a pixel."""
    spec, device = network.spec, next(network.parameters()).device
    boxed = [letterbox(image, (spec.height, spec.width)) for image in images]
    pixels = image_batch([canvas for canvas, _ in boxed], device)
    raw, logits = network.infer(pixels), network.semantic_logits(pixels)
    probability = logits.softmax(dim=1)
    entropy = float(torch.special.entr(probability).sum(dim=1).mean())
    return [fuse(raw.raw_output(row), spec.classes, Thresholds(), view) for row, (_, view) in enumerate(boxed)], entropy


def _compare(here: Panoptic, there: Panoptic, flow: np.ndarray, vouched: np.ndarray) -> Comparison:
    class_id, inside = warp(there.class_id, flow, nearest=True)
    instance_id, _ = warp(there.instance_id, flow, nearest=True)
    return compare((here.class_id, here.instance_id), (class_id, instance_id), vouched & inside)
