"""Copy-paste of objects, from pseudo labels or from confident predictions (CUPS, stage 2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cups_ros.boxes import iou
from cups_train.training.crop import resize_image, resize_labels
from cups_train.training.sample import SOME_THING, Sample, boxes_of

SMALLEST_CUTOUT = 32 / 640  # shortest side of a cutout's box, share of the image height
SCALE = (0.25, 1.5)
SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object cut out of an image: a copy, so that pasting cannot change it."""

    image: np.ndarray  # (h, w, 3) uint8 RGB
    mask: np.ndarray  # (h, w) bool
    thing: int  # index into classes.things


def cutouts_of(sample: Sample) -> list[Cutout]:
    """The instances of a sample that are large enough in both directions."""
    boxes = boxes_of(sample.instance, len(sample.thing)).astype(int)
    smallest = SMALLEST_CUTOUT * sample.image.shape[0]
    cutouts = []
    for row, (x1, y1, x2, y2) in enumerate(boxes):
        if min(x2 - x1, y2 - y1) > smallest:
            window = slice(y1, y2), slice(x1, x2)
            cutouts.append(
                Cutout(sample.image[window].copy(), sample.instance[window] == row + 1, int(sample.thing[row]))
            )
    return cutouts


def new_rows(boxes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(N,) bool: the boxes whose IoU with every known box is below 0.5; boxes without area are not new.  boxes, known:
    (N, 4), (M, 4)."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    if not len(known):
        return area > 0
    return (area > 0) & (iou(boxes, known).max(axis=1) < SAME_OBJECT_IOU)


def paste_objects(target: Sample, cutouts: list[Cutout], most: int, rng: np.random.Generator) -> Sample:
    """Paste 1..most cutouts, drawn with replacement, over a sample; the argument stays as it is.

    What is pasted hides what was there: its pixels leave older instances and become "some thing". Instances that are
    hidden altogether are left without a pixel (see `without_slivers`).
    """
    if not cutouts or most < 1:
        return target
    image, semantic, instance = target.image.copy(), target.semantic.copy(), target.instance.copy()
    things = list(target.thing)
    for choice in rng.integers(len(cutouts), size=int(rng.integers(1, most + 1))):
        cutout = cutouts[choice]
        pixels, mask = _vary(cutout, semantic.shape, rng)
        top, left = (int(rng.integers(room + 1)) for room in np.subtract(semantic.shape, mask.shape))
        window = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
        things.append(cutout.thing)
        cv2.copyTo(pixels, mask.astype(np.uint8), image[window])
        semantic[window][mask] = SOME_THING
        instance[window][mask] = len(things)
    return Sample(image, semantic, instance, np.array(things, np.int64))


def _vary(cutout: Cutout, room: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The cutout at a random scale and side, cut to the target's size from the top left."""
    scale, flip = rng.uniform(*SCALE), rng.random() < 0.5
    size = tuple(max(1, round(side * scale)) for side in cutout.mask.shape)
    pixels, mask = resize_image(cutout.image, size), resize_labels(cutout.mask, size)
    if flip:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(pixels[: room[0], : room[1]]), np.ascontiguousarray(mask[: room[0], : room[1]])
