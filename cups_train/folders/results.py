"""Result and truth folders in COCO panoptic form: panoptic.json and panoptic/KEY.png (id = R + 256 G + 65536 B, 0 =
void)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.types import Classes, Panoptic, Segment
from cups_train.files import write_image, write_json
from cups_train.folders.layout import PANOPTIC

MAPS = "panoptic"


@dataclass
class ResultWriter:
    """Writes one result folder frame by frame; panoptic.json is written last, by `close`."""

    folder: Path
    classes: Classes
    info: dict[str, Any] = field(default_factory=dict)
    scored: bool = True  # predictions carry scores, truth does not
    _images: list[dict[str, Any]] = field(default_factory=list)
    _annotations: list[dict[str, Any]] = field(default_factory=list)

    def write(self, key: str, stamp_ns: int, panoptic: Panoptic) -> None:
        """Add one frame; KEY.png is on disk when this returns."""
        ids, rows = _segment_ids(panoptic, self.scored)
        self.write_ids(key, stamp_ns, ids, rows)

    def write_ids(self, key: str, stamp_ns: int, ids: np.ndarray, segments_info: list[dict[str, Any]]) -> None:
        """The same from a map of segment ids (H, W) and its rows, for a truth that has more to say."""
        write_image(map_path(self.folder, f"{key}.png"), ids_to_rgb(ids))
        image_id = len(self._images)
        self._images.append(
            {
                "id": image_id,
                "file_name": f"{key}.png",
                "width": int(ids.shape[1]),
                "height": int(ids.shape[0]),
                "stamp_ns": int(stamp_ns),
            }
        )
        self._annotations.append({"image_id": image_id, "file_name": f"{key}.png", "segments_info": segments_info})

    def close(self) -> None:
        write_json(
            self.folder / PANOPTIC,
            {
                "images": self._images,
                "annotations": self._annotations,
                "categories": self.classes.to_json(),
                "info": self.info,
            },
        )


def map_path(folder: Path, file_name: str) -> Path:
    """The map that a row of panoptic.json names."""
    return folder / MAPS / file_name


def ids_to_rgb(ids: np.ndarray) -> np.ndarray:
    """(H, W) integer -> (H, W, 3) uint8 RGB."""
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def rgb_to_ids(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) int64."""
    wide = rgb.astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]


def _segment_ids(panoptic: Panoptic, scored: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    ids = np.zeros(panoptic.class_id.shape, np.int64)
    rows = []
    for number, segment in enumerate(panoptic.segments, 1):
        ids[(panoptic.class_id == segment.class_id) & (panoptic.instance_id == segment.instance_id)] = number
        rows.append(_row(number, segment, scored))
    return ids, rows


def _row(number: int, segment: Segment, scored: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": number,
        "category_id": segment.class_id,
        "area": segment.area,
        "bbox": list(segment.bbox),
        "iscrowd": int(segment.is_crowd),
    }
    if scored:
        row["score"] = round(float(segment.score), 6)
    if segment.track_id:
        row["track_id"] = segment.track_id
    return row
