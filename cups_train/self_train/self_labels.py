"""What the teacher sees as labels for the student (CUPS, stage 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cups_ros.fusion import Letterbox, fuse
from cups_ros.types import Classes, RawOutput, Thresholds
from cups_train.self_train.views import Consensus
from cups_train.training.sample import IGNORE, SOME_THING, Sample, without_slivers


@dataclass(frozen=True)
class LabelRule:
    """Which of the teacher's instances are labels, and what is left out."""

    classes: Classes
    sure: float  # score from which an instance is a label
    # score from which an instance that is no label leaves its pixels ignored: they may hold an object and may not
    unsure: float
    ignore_unknown: bool  # so are thing pixels without an instance, as in stage 2; else they stay "some thing"


def semantic_labels(probabilities: Tensor, share: float) -> Tensor:
    """The best class of a pixel where it reaches `share` times its own maximum over the image, else 255 (the poster's
    rule).

    probabilities: (C, H, W) -> (H, W) uint8.
    """
    thresholds = share * probabilities.amax(dim=(1, 2))
    best, label = probabilities.max(dim=0)
    return torch.where(best >= thresholds[label], label, torch.full_like(label, IGNORE)).to(torch.uint8)


def self_label(image: np.ndarray, teacher: Consensus, semantic: np.ndarray, rule: LabelRule) -> Sample:
    """Instances from the score `sure` on, drawn without overlap as the model draws them, beside the semantic labels.

    image: (H, W, 3) uint8; teacher: on the CPU; semantic: (H, W) uint8, as `semantic_labels` gives it.
    """
    classes, found = rule.classes, teacher.found
    things = np.array(classes.things or (0,), np.int64)
    raw = RawOutput(
        found.boxes.numpy(),
        found.scores.numpy(),
        things[found.thing.numpy()],
        teacher.masks.numpy(),
        np.zeros_like(semantic),
    )
    panoptic = fuse(raw, classes, Thresholds(score=rule.unsure), Letterbox(semantic.shape, semantic.shape))
    drawn = [s for s in panoptic.segments if s.is_instance]
    number = np.zeros(len(drawn) + 1, np.uint16)
    sure = [s for s in drawn if s.score >= rule.sure]
    number[[s.instance_id for s in sure]] = np.arange(1, len(sure) + 1)
    instance = number[panoptic.instance_id]
    unknown = (panoptic.instance_id > 0) | (rule.ignore_unknown & (semantic == SOME_THING))
    semantic = np.where(unknown & (instance == 0), np.uint8(IGNORE), semantic)
    thing = np.array([classes.things.index(s.class_id) for s in sure], np.int64)
    return without_slivers(Sample(image, semantic, instance, thing), rule.ignore_unknown)
