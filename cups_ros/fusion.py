"""Raw network outputs to one panoptic map: the only place where instances and stuff become one map."""
from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cups_ros.types import Classes, Panoptic, RawOutput, Segment, Thresholds


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


PADDING_RGB = (124, 116, 104)  # the mean colour: zero after normalisation


def letterbox(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, Letterbox]:
    """(H, W, 3) uint8 RGB -> (height, width, 3) uint8 of the network's input, and how it lies there."""
    box = Letterbox(image.shape[:2], input_size)
    height, width = box.content_size
    if (height, width) != image.shape[:2]:
        shrink = height < image.shape[0]
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    if (height, width) == tuple(input_size):
        return np.ascontiguousarray(image), box
    canvas = np.empty((*input_size, 3), np.uint8)
    canvas[:] = PADDING_RGB
    canvas[:height, :width] = image
    return canvas, box


def fuse(raw: RawOutput, classes: Classes, thresholds: Thresholds, view: Letterbox) -> Panoptic:
    """Merge instances and stuff at the size of the image (CUPS, panoptic fusion; stuff limit relative to the area).

    Instances are drawn in descending score (stable), each over free pixels only; one hidden for more than
    `thresholds.overlap` is dropped. Stuff fills what is left; fragments below the limit and "some thing" stay void.
    Merged classes take the class that stands for them before all this.
    """
    if classes.merged:
        standing = classes.merge_table()
        raw = replace(raw, class_id=standing[raw.class_id], semantic=standing[raw.semantic])
    height, width = view.image_size
    class_map = np.zeros((height, width), np.uint8)
    instance_map = np.zeros((height, width), np.uint16)
    segments: list[Segment] = []
    scale = np.array([view.content_size[1] / width, view.content_size[0] / height] * 2, np.float32)
    for row in np.argsort(-raw.scores, kind="stable"):
        if raw.scores[row] < thresholds.score or raw.scores[row] <= 0:  # 0 marks padding, whatever the threshold
            break
        pasted = _paste(raw.masks[row], raw.boxes[row] / scale, (height, width), thresholds.mask)
        if pasted is None:
            continue
        window, mask = pasted
        free = mask & (instance_map[window] == 0)
        area, visible = np.count_nonzero(mask), np.count_nonzero(free)
        if visible == 0 or 1 - visible / area > thresholds.overlap:
            continue
        np.copyto(instance_map[window], len(segments) + 1, where=free, casting="unsafe")
        np.copyto(class_map[window], raw.class_id[row], where=free, casting="unsafe")
        segments.append(_segment(free, window, int(raw.class_id[row]), len(segments) + 1, float(raw.scores[row])))
    return Panoptic(class_map, instance_map, (*segments, *_fill_stuff(class_map, raw.semantic, classes, thresholds, view)))


def panoptic_from_maps(class_id: np.ndarray, instance_id: np.ndarray, classes: Classes,
                       scores: dict[int, float] | None = None, tracks: dict[int, int] | None = None) -> Panoptic:
    """Maps of classes and instances -> a Panoptic with its segments.

    class_id: (H, W) with 0 = void; instance_id: (H, W), 0 on stuff. Thing pixels without an instance become void,
    as does the instance id of stuff pixels; scores and tracks are by instance id (1.0 and 0 where unknown).
    Merged classes take the class that stands for them.
    """
    class_id = classes.merge_table()[class_id]
    thing = classes.thing_table()[class_id]
    instances = np.where(thing, instance_id, 0).astype(np.uint16)
    class_map = np.where(thing & (instances == 0), 0, class_id).astype(np.uint8)
    segments = []
    for instance in np.unique(instances[instances > 0]).tolist():
        mask = instances == instance
        kind = int(np.bincount(class_map[mask]).argmax())
        class_map[mask] = kind
        score, track = (scores or {}).get(instance, 1.0), (tracks or {}).get(instance, 0)
        segments.append(_segment(mask, _whole(mask), kind, instance, score, track))
    for kind in np.unique(class_map[instances == 0]).tolist():
        if kind:
            mask = (class_map == kind) & (instances == 0)
            segments.append(_segment(mask, _whole(mask), kind, 0, 1.0))
    return Panoptic(class_map, instances, tuple(segments))


def _fill_stuff(class_map: np.ndarray, semantic: np.ndarray, classes: Classes, thresholds: Thresholds,
                view: Letterbox) -> list[Segment]:
    """Write stuff into the free pixels of `class_map`; the segments written."""
    height, width = view.image_size
    content = semantic[: view.content_size[0], : view.content_size[1]].astype(np.uint8)
    full = cv2.resize(content, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    np.copyto(full, 0, where=class_map > 0)
    counts = cv2.calcHist([full], [0], None, [256], [0, 256]).ravel()
    kept = np.zeros(256, np.uint8)
    segments = []
    for kind in classes.stuff:
        if counts[kind] == 0 or counts[kind] < thresholds.stuff_area * full.size:
            continue
        kept[kind] = kind
        segments.append(_segment(full == kind, _whole(full), kind, 0, 1.0))
    class_map += cv2.LUT(full, kept)  # 0 where an instance is
    return segments


def _paste(mask: np.ndarray, box: np.ndarray, size: tuple[int, int],
           threshold: float) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """(M, M) probabilities inside `box` -> window of the image and its bool mask, sampled at pixel centres; None if empty."""
    x1, y1, x2, y2 = (float(v) for v in box)
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(size[1], int(np.ceil(x2))), min(size[0], int(np.ceil(y2)))
    if right <= left or bottom <= top or x2 <= x1 or y2 <= y1:
        return None
    side = mask.shape[0]
    columns = (np.arange(left, right, dtype=np.float32) + 0.5 - x1) / (x2 - x1) * side - 0.5
    rows = (np.arange(top, bottom, dtype=np.float32) + 0.5 - y1) / (y2 - y1) * side - 0.5
    grid_x, grid_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    values = cv2.remap(np.asarray(mask, np.float32), grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    inside = values >= threshold
    return ((slice(top, bottom), slice(left, right)), inside) if inside.any() else None


def _whole(mask: np.ndarray) -> tuple[slice, slice]:
    return slice(0, mask.shape[0]), slice(0, mask.shape[1])


def _segment(mask: np.ndarray, window: tuple[slice, slice], class_id: int, instance_id: int, score: float,
             track_id: int = 0) -> Segment:
    x, y, width, height = _bbox(mask)
    bbox = (window[1].start + x, window[0].start + y, width, height)
    return Segment(class_id, instance_id, instance_id > 0, score, int(np.count_nonzero(mask)), bbox, track_id)


def _bbox(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x, y, width, height of the True pixels of a bool mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, width, height
