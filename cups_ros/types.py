"""Records shared by the model, the fusion and the node: numpy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

VOID = 0
UNKNOWN_OBJECT = "unknown object"  # its name until a person gives another
MAX_CLASSES = 254  # that are learned
Box = tuple[int, int, int, int]  # x, y, width, height
Color = tuple[int, int, int]  # r, g, b
Point = tuple[float, float, float]  # x right, y down, z ahead [m]


@dataclass(frozen=True)
class PseudoClass:
    """One pseudo class; `id` counts from 1, 0 is void."""

    id: int
    name: str
    isthing: bool
    color: Color
    merge_into: int = 0  # id of the class that stands for this one in every result; 0 = it stands for itself
    unknown: bool = False  # "unknown object": what is some thing, but no instance; no network learns it


@dataclass(frozen=True)
class Classes:
    """All pseudo classes of a run, ids 1..K without gaps: the one place that knows things from stuff.

    The last one may be "unknown object". Where there is none, such pixels are void.
    """

    items: tuple[PseudoClass, ...]

    def __post_init__(self) -> None:
        ids = [c.id for c in self.items]
        learned = sum(not c.unknown for c in self.items)
        if ids != list(range(1, len(ids) + 1)) or learned > MAX_CLASSES:
            raise ValueError(f"expected class ids 1..K in order with K <= {MAX_CLASSES}, found {ids}")
        if any(c.unknown and (c.id <= learned or not c.isthing) for c in self.items) or len(ids) > learned + 1:
            raise ValueError(
                "expected one class of unknown objects, a thing after all others, found "
                f"{[c.id for c in self.items if c.unknown]}"
            )
        for c in self.items:
            if c.merge_into and not self._can_stand_for(c):
                raise ValueError(
                    f"expected merge_into of class {c.id} to name an unmerged class of its kind, found {c.merge_into}"
                )

    def _can_stand_for(self, c: PseudoClass) -> bool:
        if c.unknown or c.merge_into not in range(1, len(self) + 1):
            return False
        other = self.items[c.merge_into - 1]
        return not other.merge_into and not other.unknown and other.isthing == c.isthing

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[PseudoClass]:
        return iter(self.items)

    @property
    def things(self) -> tuple[int, ...]:
        """Ids of the thing classes that have instances, ascending: position t is the network's thing index t."""
        return tuple(c.id for c in self.items if c.isthing and not c.unknown)

    @property
    def stuff(self) -> tuple[int, ...]:
        """Ids of the stuff classes, ascending: position s is the network's semantic channel s + 1."""
        return tuple(c.id for c in self.items if not c.isthing)

    @property
    def unknown(self) -> int:
        """Id of "unknown object"; 0, void, where there is none."""
        return self.items[-1].id if self.items and self.items[-1].unknown else 0

    @property
    def regions(self) -> tuple[int, ...]:
        """Ids of the classes with one segment an image, ascending: stuff, then unknown object."""
        return self.stuff + ((self.unknown,) if self.unknown else ())

    def is_thing(self, class_id: int) -> bool:
        return self.items[class_id - 1].isthing

    def thing_table(self) -> np.ndarray:
        """(K + 1,) bool: True at the ids of thing classes that have instances."""
        return np.array([False, *(c.isthing and not c.unknown for c in self.items)])

    @property
    def merged(self) -> bool:
        """Whether a class stands for another."""
        return any(c.merge_into for c in self.items)

    def merge_table(self) -> np.ndarray:
        """(K + 1,) uint8: the class that stands for each id in results; void stays void."""
        return np.array([0, *(c.merge_into or c.id for c in self.items)], np.uint8)

    def unmerged(self) -> Classes:
        """The same classes, each for itself: what networks are made for."""
        return Classes(tuple(replace(c, merge_into=0) for c in self.items))

    def learned(self) -> Classes:
        """The same without unknown object: what labels name."""
        return Classes(tuple(c for c in self.items if not c.unknown))

    def with_unknown(self, color: Color) -> Classes:
        """The same and, after them, unknown object."""
        return Classes((*self.items, PseudoClass(len(self) + 1, UNKNOWN_OBJECT, True, color, unknown=True)))

    def color_table(self) -> np.ndarray:
        """(K + 1, 3) uint8 RGB; void is black."""
        return np.array([(0, 0, 0), *(c.color for c in self.items)], np.uint8)

    def to_json(self) -> list[dict[str, Any]]:
        """The `classes` of a model card, the `categories` of a result folder."""
        return [
            {
                "id": c.id,
                "name": c.name,
                "isthing": int(c.isthing),
                "color": list(c.color),
                **({"merge_into": c.merge_into} if c.merge_into else {}),
                **({"unknown": 1} if c.unknown else {}),
            }
            for c in self.items
        ]

    @classmethod
    def from_json(cls, rows: list[dict[str, Any]]) -> Classes:
        return cls(
            tuple(
                PseudoClass(
                    int(r["id"]),
                    str(r["name"]),
                    bool(r["isthing"]),
                    _color(r["color"]),
                    int(r.get("merge_into", 0)),
                    bool(r.get("unknown", 0)),
                )
                for r in rows
            )
        )


def _color(values: Any) -> Color:
    """Raises ValueError where it is none: pages and pictures take it as it is."""
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise ValueError(f"color {str(values)[:100]}")
    red, green, blue = values
    if not all(isinstance(v, int) and 0 <= v <= 255 for v in values):
        raise ValueError(f"color {str(values)[:100]}")
    return red, green, blue


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the panoptic merge."""

    score: float = 0.5  # instances below are not drawn
    overlap: float = 0.5  # an instance hidden for more than this share is dropped
    mask: float = 0.5  # probability from which a pixel belongs to an instance
    stuff_area: float = 4096 / (1024 * 2048)  # smallest stuff segment, share of the image


@dataclass(frozen=True, eq=False)
class RawOutput:
    """What one run of the network gives for one image, in pixels of the network's input."""

    boxes: np.ndarray  # (N, 4) float32 x1, y1, x2, y2
    scores: np.ndarray  # (N,) float32 in [0, 1], 0 on padding rows
    class_id: np.ndarray  # (N,) integer, pseudo class of the instance
    masks: np.ndarray  # (N, 28, 28) float32 probabilities inside the box
    semantic: np.ndarray  # (height, width) integer, pseudo class of stuff; 0 = "some thing"


@dataclass(frozen=True)
class Segment:
    """One segment of a panoptic map."""

    class_id: int
    instance_id: int  # 0 for stuff and for unknown objects
    is_thing: bool
    score: float  # in [0, 1]
    area: int  # pixels
    bbox: Box
    track_id: int = 0  # 0 = unknown

    @property
    def is_instance(self) -> bool:
        """One object with its outline."""
        return self.instance_id > 0

    @property
    def is_crowd(self) -> bool:
        """Things of which none is outlined: unknown objects."""
        return self.is_thing and not self.is_instance


@dataclass(frozen=True)
class KnownInstance:
    """What is known of an instance beside its pixels."""

    class_id: int
    score: float = 1.0  # in [0, 1]
    track_id: int = 0  # 0 = unknown


@dataclass(frozen=True, eq=False)
class Panoptic:
    """One panoptic map at the size of its image."""

    class_id: np.ndarray  # (H, W) uint8, 0 = void
    instance_id: np.ndarray  # (H, W) uint16, 0 on stuff, unknown objects and void
    segments: tuple[Segment, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.class_id.dtype != np.uint8 or self.instance_id.dtype != np.uint16:
            raise ValueError(f"expected uint8 and uint16 maps, got {self.class_id.dtype} and {self.instance_id.dtype}")
        if self.class_id.shape != self.instance_id.shape or self.class_id.ndim != 2:
            raise ValueError(f"expected two (H, W) maps, got {self.class_id.shape} and {self.instance_id.shape}")
