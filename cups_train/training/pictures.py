"""Pictures of a training: image, target and prediction side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cups_ros.colors import overlay
from cups_ros.fusion import Letterbox, fuse, panoptic_from_maps
from cups_ros.types import Classes, KnownInstance, Panoptic, Thresholds
from cups_train.files import write_image
from cups_train.network.model import PanopticNetwork
from cups_train.training.batch import image_batch
from cups_train.training.sample import Sample, class_table

MOST_ROWS = 2
GAP = 4  # px


def target_panoptic(sample: Sample, classes: Classes) -> Panoptic:
    """A sample's targets as a panoptic map; ignored pixels are void."""
    known = {number: KnownInstance(classes.things[thing]) for number, thing in enumerate(sample.thing, 1)}
    return panoptic_from_maps(class_table(classes)[sample.semantic], sample.instance, known, classes)


def write_picture(path: Path, samples: list[Sample], network: PanopticNetwork) -> None:
    """A JPEG with a row for each of the first samples: image | target | prediction."""
    classes, device = network.spec.classes, next(network.parameters()).device
    shown = samples[:MOST_ROWS]
    found = network.infer(image_batch([s.image for s in shown], device))
    rows = []
    for number, sample in enumerate(shown):
        size = sample.semantic.shape
        predicted = fuse(found.raw_output(number), classes, Thresholds(), Letterbox(size, size))
        panels = [
            sample.image,
            overlay(sample.image, target_panoptic(sample, classes), classes),
            overlay(sample.image, predicted, classes),
        ]
        rows.append(np.concatenate([np.pad(panel, ((0, GAP), (0, GAP), (0, 0))) for panel in panels], axis=1))
    write_image(path, np.concatenate(rows))
