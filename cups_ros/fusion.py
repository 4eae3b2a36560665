"""Raw network outputs to one panoptic map: the only place where instances and stuff become one map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cups_ros.boxes import Window, box_in_resized, box_of
from cups_ros.pixels import new_map
from cups_ros.types import Classes, KnownInstance, Panoptic, RawOutput, Segment, Thresholds


@dataclass(frozen=True)
class Letterbox:
    """How an image lies in the network's input: scaled by one factor, at the top left, padded right and below."""

    image_size: tuple[int, int]  # (height, width) of the image
    input_size: tuple[int, int]  # (height, width) of the network's input

    @property
    def scale(self) -> float:
        return min(self.input_size[0] / self.image_size[0], self.input_size[1] / self.image_size[1])

    @property
    def content_size(self) -> tuple[int, int]:
        """(height, width) that the image fills in the network's input."""
        height, width = (max(1, round(side * self.scale)) for side in self.image_size)
        return min(height, self.input_size[0]), min(width, self.input_size[1])


SOME_THING = 0  # in RawOutput.semantic
EXACT_COUNT = 1 << 24  # a float32 holds every integer up to here
PADDING_RGB = (124, 116, 104)  # the mean colour: zero after normalisation


def letterbox(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, Letterbox]:
    """(H, W, 3) uint8 RGB -> (height, width, 3) uint8 of the network's input, and how it lies there."""
    box = Letterbox(image.shape[:2], input_size)
    height, width = box.content_size
    if (height, width) != image.shape[:2]:
        image = _resized(image, height, width)
    if (height, width) == tuple(input_size):
        return np.ascontiguousarray(image), box
    canvas = np.empty((*input_size, 3), np.uint8)
    canvas[:] = PADDING_RGB
    canvas[:height, :width] = image
    return canvas, box


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3).

    Halved by the mean of 2x2 pixels while it is at least twice too large, then bilinear: as good as the mean of areas,
    at a fifth of its time.
    """
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return (
        image
        if image.shape[:2] == (height, width)
        else cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    )


def fuse(raw: RawOutput, classes: Classes, thresholds: Thresholds, view: Letterbox) -> Panoptic:
    """Merge instances and stuff at the size of the image (CUPS, panoptic fusion; stuff limit relative to the area).

    Instances are drawn in descending score (stable), each over free pixels only; one hidden for more than
    `thresholds.overlap` is dropped. Stuff fills what is left, and "some thing" there is unknown object (void where
    `classes` has none); of both, fragments below the limit stay void. Merged classes take the class that stands for
    them before all this.
    """
    if classes.merged:
        raw = replace(raw, class_id=classes.merge_table()[raw.class_id])
    height, width = view.image_size
    class_map = new_map((height, width), np.uint8)
    slots = np.zeros((height, width), np.uint8 if len(raw.scores) < 256 else np.uint16)
    instance_map = new_map((height, width), np.uint16)
    segments: list[Segment] = []
    scale = np.array([view.content_size[1] / width, view.content_size[0] / height] * 2, np.float32)
    for row in np.argsort(-raw.scores, kind="stable"):
        if raw.scores[row] < thresholds.score or raw.scores[row] <= 0:  # 0 marks padding, whatever the threshold
            break
        pasted = _paste(raw.masks[row], raw.boxes[row] / scale, (height, width), thresholds.mask)
        if pasted is None:
            continue
        window, mask = pasted
        free = mask & (class_map[window] == 0)
        area, visible = np.count_nonzero(mask), np.count_nonzero(free)
        if visible == 0 or 1 - visible / area > thresholds.overlap:
            continue
        slots[window] += free.view(np.uint8) * slots.dtype.type(len(segments) + 1)  # 0 there so far
        class_map[window] += free.view(np.uint8) * np.uint8(raw.class_id[row])
        segments.append(_segment(free, window, int(raw.class_id[row]), len(segments) + 1, float(raw.scores[row])))
    instance_map[:] = slots
    return Panoptic(
        class_map, instance_map, (*segments, *_fill_regions(class_map, raw.semantic, classes, thresholds, view))
    )


def panoptic_from_maps(
    class_id: np.ndarray, instance_id: np.ndarray, known: Mapping[int, KnownInstance], classes: Classes
) -> Panoptic:
    """Maps of classes and instances -> a Panoptic with its segments.

    class_id: (H, W) with 0 = void; instance_id: (H, W), 0 = none; known: every instance of the map by its id. An
    instance's pixels take its class; one of a stuff class is no instance. Thing pixels without an instance become
    unknown object, void where `classes` has none. Merged classes take the class that stands for them.
    """
    standing, is_thing = classes.merge_table(), classes.thing_table()
    present = np.unique(instance_id[instance_id > 0]).tolist()
    named = np.zeros(max(present, default=0) + 1, np.uint8)
    named[present] = [standing[known[i].class_id] for i in present]
    own = named[instance_id]
    instances = np.where(is_thing[own], instance_id, 0).astype(np.uint16)
    class_map = np.where(own > 0, own, standing[class_id]).astype(np.uint8)
    class_map[is_thing[class_map] & (instances == 0)] = classes.unknown
    segments = []
    for instance in (i for i in present if is_thing[named[i]]):
        mask = instances == instance
        segments.append(
            _segment(
                mask, _whole(mask), int(named[instance]), instance, known[instance].score, known[instance].track_id
            )
        )
    for kind in np.unique(class_map[instances == 0]).tolist():
        if kind:
            mask = (class_map == kind) & (instances == 0)
            segments.append(replace(_segment(mask, _whole(mask), kind, 0, 1.0), is_thing=classes.is_thing(kind)))
    return Panoptic(class_map, instances, tuple(segments))


def _fill_regions(
    class_map: np.ndarray, semantic: np.ndarray, classes: Classes, thresholds: Thresholds, view: Letterbox
) -> list[Segment]:
    """Write stuff and unknown objects into the free pixels of `class_map` (H, W) uint8, from `semantic` (height,
    width); the segments written."""
    height, width = view.image_size
    content = semantic[: view.content_size[0], : view.content_size[1]].astype(np.uint8)
    if classes.merged or classes.unknown:
        content = cv2.LUT(content, _region_table(classes))
    full = cv2.resize(content, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    full *= class_map == 0
    pixels = areas(full, 256)
    kept = np.zeros(256, np.uint8)
    segments = []
    for kind in classes.regions:
        if pixels[kind] == 0 or pixels[kind] < thresholds.stuff_area * full.size:
            continue
        kept[kind] = kind
        small = box_of(content == kind)
        segments.append(
            Segment(
                kind,
                0,
                classes.is_thing(kind),
                1.0,
                int(pixels[kind]),
                box_in_resized(full, kind, small, content.shape),
            )
        )
    class_map += cv2.LUT(full, kept)  # 0 where an instance is
    return segments


def _region_table(classes: Classes) -> np.ndarray:
    """(256,) uint8: what the network says of a pixel -> its class where no instance is."""
    table = np.zeros(256, np.uint8)
    table[: len(classes) + 1] = classes.merge_table()
    table[SOME_THING] = classes.unknown
    return table


def _paste(
    mask: np.ndarray, box: np.ndarray, size: tuple[int, int], threshold: float
) -> tuple[Window, np.ndarray] | None:
    """(M, M) probabilities inside `box` -> window of the image and its bool mask, sampled at pixel centres; None
    outside of it."""
    x1, y1, x2, y2 = (float(v) for v in box)
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(size[1], int(np.ceil(x2))), min(size[0], int(np.ceil(y2)))
    if right <= left or bottom <= top or x2 <= x1 or y2 <= y1:
        return None
    right_step, down_step = mask.shape[1] / (x2 - x1), mask.shape[0] / (y2 - y1)
    into_mask = np.array(
        [[right_step, 0, (left + 0.5 - x1) * right_step - 0.5], [0, down_step, (top + 0.5 - y1) * down_step - 0.5]]
    )
    values = cv2.warpAffine(
        np.asarray(mask, np.float32),
        into_mask,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    inside = values >= threshold
    return (slice(top, bottom), slice(left, right)), inside


def areas(map_: np.ndarray, count: int) -> np.ndarray:
    """(H, W) uint8 or uint16 below `count` -> (count,) pixels of each value."""
    bands = np.array_split(map_, 1 + map_.size // EXACT_COUNT)  # calcHist counts in float32
    return sum(cv2.calcHist([band], [0], None, [count], [0, count]).ravel().astype(np.int64) for band in bands)


def look_up(table: np.ndarray, map_: np.ndarray) -> np.ndarray:
    """table (N,) at the values of map_ (H, W), as a map of `new_map`, faster for uint8: of a uint8 map the table must
    have 256 entries."""
    found = new_map(map_.shape, table.dtype.type)
    if map_.dtype == np.uint8:
        cv2.LUT(map_, table, dst=found)
    else:
        table.take(map_, out=found)
    return found


def _whole(mask: np.ndarray) -> Window:
    return slice(0, mask.shape[0]), slice(0, mask.shape[1])


def _segment(
    mask: np.ndarray, window: Window, class_id: int, instance_id: int, score: float, track_id: int = 0
) -> Segment:
    """mask: (h, w) bool, the part of the map in `window`."""
    x, y, width, height = box_of(mask)
    bbox = (window[1].start + x, window[0].start + y, width, height)
    return Segment(class_id, instance_id, instance_id > 0, score, int(np.count_nonzero(mask)), bbox, track_id)
