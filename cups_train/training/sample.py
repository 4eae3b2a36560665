"""A training sample: one image with its semantic target and its instances, which never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cups_ros.types import Classes
from cups_train.network.spec import IGNORE

SOME_THING = 0
SMALLEST_SIDE = 4  # px: instances with a shorter side are slivers


@dataclass(frozen=True, eq=False)
class Sample:
    """One image and its targets."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    semantic: np.ndarray  # (H, W) uint8: 0 some thing, s + 1 = classes.stuff[s], 255 ignored
    instance: np.ndarray  # (H, W) uint16: 0 none, n = row n - 1 of `thing`
    thing: np.ndarray  # (N,) int64, index into classes.things

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.semantic.dtype != np.uint8 or self.instance.dtype != np.uint16:
            raise ValueError(
                f"expected uint8, uint8, uint16, got {self.image.dtype}, {self.semantic.dtype}, {self.instance.dtype}"
            )
        if not self.image.shape[:2] == self.semantic.shape == self.instance.shape:
            raise ValueError(f"expected one size, got {self.image.shape}, {self.semantic.shape}, {self.instance.shape}")


def semantic_table(classes: Classes) -> np.ndarray:
    """(256,) uint8: pseudo class id -> semantic target; things 0, stuff[s] -> s + 1, void and unknown ids 255."""
    table = np.full(256, IGNORE, np.uint8)
    table[list(classes.things)] = SOME_THING
    table[list(classes.stuff)] = np.arange(1, len(classes.stuff) + 1)
    return table


def class_table(classes: Classes) -> np.ndarray:
    """(256,) uint8: semantic target -> pseudo class id; "some thing" is unknown object, ignored is 0 (void)."""
    table = np.zeros(256, np.uint8)
    table[SOME_THING] = classes.unknown
    table[1 : len(classes.stuff) + 1] = classes.stuff
    return table


def label_sample(
    image: np.ndarray,
    class_map: np.ndarray,
    instance_map: np.ndarray,
    class_of: Mapping[int, int],
    classes: Classes,
    ignore_unknown: bool,
) -> Sample:
    """Pseudo labels -> targets.

    Instances of a stuff class, or of none, are ignored pixels: they moved, but are not believed to be things. Thing
    pixels without an instance are ignored where `ignore_unknown` is set, else "some thing".
    image: (H, W, 3) uint8; class_map: (H, W) uint8, 0 = void; instance_map: (H, W) integer, 0 = none; class_of: the
    class of every instance.
    """
    semantic = semantic_table(classes)[class_map]
    if ignore_unknown:
        semantic[semantic == SOME_THING] = IGNORE
    present = np.flatnonzero(np.bincount(instance_map.ravel()))
    present = present[present > 0]
    rows = np.zeros(int(instance_map.max(initial=0)) + 1, np.int64)
    rows[present] = np.arange(1, len(present) + 1)
    dense = rows[instance_map]
    ids = [class_of[instance] for instance in present.tolist()]
    index_of_thing = {k: index for index, k in enumerate(classes.things)}
    things = [k in index_of_thing for k in ids]
    number = np.zeros(len(present) + 1, np.uint16)
    number[1:][things] = np.arange(1, sum(things) + 1)
    instance = number[dense]
    semantic[dense > 0] = IGNORE
    semantic[instance > 0] = SOME_THING
    thing = np.array([index_of_thing[k] for k in ids if k in index_of_thing], np.int64)
    return Sample(image, semantic, instance, thing)


def boxes_of(instance: np.ndarray, count: int) -> np.ndarray:
    """(H, W) ids 1..count -> (count, 4) float32 x1, y1, x2, y2 half-open; zeros where an id has no pixel."""
    boxes = np.zeros((count, 4), np.float32)
    for row, window in enumerate(ndimage.find_objects(instance, max_label=count) if count else []):
        if window is not None:
            boxes[row] = window[1].start, window[0].start, window[1].stop, window[0].stop
    return boxes


def without_slivers(sample: Sample, ignore_unknown: bool) -> Sample:
    """Drop instances with a side below SMALLEST_SIDE and number the rest anew; their pixels are ignored where
    `ignore_unknown` is set."""
    boxes = boxes_of(sample.instance, len(sample.thing))
    kept = ((boxes[:, 2:] - boxes[:, :2]) >= SMALLEST_SIDE).all(axis=1)
    if kept.all():
        return sample
    number = np.zeros(len(kept) + 1, np.uint16)
    number[1:][kept] = np.arange(1, kept.sum() + 1)
    instance = number[sample.instance]
    semantic = sample.semantic
    if ignore_unknown:
        semantic = np.where((sample.instance > 0) & (instance == 0), np.uint8(IGNORE), semantic)
    return replace(sample, semantic=semantic, instance=instance, thing=sample.thing[kept])
