"""The teacher's answer as labels for the student (CUPS, stage 3)."""
from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cups_ros.fusion import Letterbox, fuse
from cups_ros.types import Classes, RawOutput, Thresholds
from cups_train.self_train.views import Answer
from cups_train.training.sample import IGNORE, SOME_THING, Sample, without_slivers


def semantic_labels(probabilities: Tensor, zeta: float, rule: Literal["repaired", "reference"]) -> Tensor:
    """The best class of a pixel where it reaches `zeta` times its own maximum over the image, else 255 (the poster's rule).

    `reference` is the published code's rule (T11): classes below their threshold are struck out before the best is chosen.
    probabilities: (C, H, W) -> (H, W) uint8.
    """
    thresholds = zeta * probabilities.amax(dim=(1, 2), keepdim=True)
    if rule == "reference":
        best, label = torch.where(probabilities > thresholds, probabilities, torch.zeros_like(probabilities)).max(dim=0)
        sure = best > 0
    else:
        best, label = probabilities.max(dim=0)
        sure = best >= thresholds[:, 0, 0][label]
    return torch.where(sure, label, torch.full_like(label, IGNORE)).to(torch.uint8)


def self_label(image: np.ndarray, answer: Answer, semantic: np.ndarray, classes: Classes, scores: tuple[float, float],
               ignore_unknown: bool) -> Sample:
    """Instances from the higher of two scores on, drawn without overlap as the model draws them, beside the semantic labels.

    The pixels of instances between the two scores are ignored: they may hold an object and may not. ignore_unknown: so are thing pixels
    without an instance, as in stage 2; published: they stay "some thing". image: (H, W, 3) uint8; answer: on the CPU; semantic: (H, W) uint8.
    """
    unsure, gamma = scores
    things = np.array(classes.things or (0,), np.int64)
    raw = RawOutput(answer.boxes.numpy(), answer.scores.numpy(), things[answer.thing.numpy()], answer.masks.numpy(), np.zeros_like(semantic))
    panoptic = fuse(raw, classes, Thresholds(score=unsure), Letterbox(semantic.shape, semantic.shape))
    found = [s for s in panoptic.segments if s.is_thing]
    number = np.zeros(len(found) + 1, np.uint16)
    sure = [s for s in found if s.score >= gamma]
    number[[s.instance_id for s in sure]] = np.arange(1, len(sure) + 1)
    instance = number[panoptic.instance_id]
    unknown = (panoptic.instance_id > 0) | (ignore_unknown & (semantic == SOME_THING))
    semantic = np.where(unknown & (instance == 0), np.uint8(IGNORE), semantic)
    thing = np.array([classes.things.index(s.class_id) for s in sure], np.int64)
    return without_slivers(Sample(image, semantic, instance, thing), ignore_unknown)
