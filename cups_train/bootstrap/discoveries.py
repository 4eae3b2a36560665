"""Self-enhanced copy-paste: confident predictions that no pseudo label knows are pasted too (CUPS, stage 2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cups_ros.fusion import Letterbox, fuse
from cups_ros.types import Classes, RawOutput, Thresholds
from cups_train.network.model import PanopticNetwork
from cups_train.training.batch import image_batch
from cups_train.training.copy_paste import Cutout, cutouts_of, new_rows
from cups_train.training.sample import Sample, boxes_of


def discovered(
    network: PanopticNetwork, samples: list[Sample], score: float, threads: ThreadPoolExecutor
) -> list[Cutout]:
    """Objects that the network finds with more than `score` in clean samples, beside those of the pseudo labels."""
    if not network.spec.classes.things:
        return []
    device = next(network.parameters()).device
    found = network.infer(image_batch([s.image for s in samples], device))
    answers = [found.raw_output(row) for row in range(len(samples))]
    classes = network.spec.classes
    lists = threads.map(lambda row: new_objects(samples[row], answers[row], classes, score), range(len(samples)))
    return [cutout for cutouts in lists for cutout in cutouts]


def new_objects(sample: Sample, answer: RawOutput, classes: Classes, score: float) -> list[Cutout]:
    """The predictions above `score` whose box has an IoU below 0.5 with every pseudo object's."""
    size = sample.semantic.shape
    panoptic = fuse(answer, classes, Thresholds(score=score), Letterbox(size, size))
    things = [s for s in panoptic.segments if s.is_instance]
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in (s.bbox for s in things)], np.float32).reshape(-1, 4)
    fresh = [
        s for s, new in zip(things, new_rows(boxes, boxes_of(sample.instance, len(sample.thing))), strict=True) if new
    ]
    instance = np.zeros(size, np.uint16)
    for number, segment in enumerate(fresh, 1):
        instance[panoptic.instance_id == segment.instance_id] = number
    thing = np.array([classes.things.index(s.class_id) for s in fresh], np.int64)
    return cutouts_of(Sample(sample.image, sample.semantic, instance, thing))
