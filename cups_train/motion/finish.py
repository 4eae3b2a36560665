"""The cheap pass over finished frames, in order and one at a time: track ids, what neighbours confirm, maps, overlays,
motion.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from cups_ros.colors import tint
from cups_ros.types import Color
from cups_train.errors import ResultError
from cups_train.files import write_image
from cups_train.folders.layout import MOTION, overlay_path
from cups_train.folders.motion import FLOW, KIND, frame_json, has_frame, identity_of, instances_path, read_frame
from cups_train.motion.tracks import keep_supported, track
from cups_train.output import replacing
from cups_train.picks import shown
from cups_train.recording import Recording
from cups_train.types import MotionResult

PICTURES = 12  # of a recording


def finish(recording: Recording, out: Path, settings: dict[str, Any], supported: bool) -> None:
    """Write instances/, overlays/ and, last, motion.json from the per-frame files, which then go. A handful of frames
    is held at a time.

    `supported`: leave out what no neighbouring frame confirms. Raises ResultError where frames are missing.
    """
    keys = [stamp.key for stamp in recording.stamps]
    identity = identity_of(settings)
    done = sum(has_frame(out, key, identity) for key in keys)
    if done < len(keys):
        raise ResultError(
            f"expected {len(keys)} finished frames in {out / 'frames'}, found {done}; "
            "the same command makes the rest (on a network file system another machine's files may be seen late: "
            "docs/scaling.md)"
        )
    follows = [bool(stamp.follows) for stamp in recording.stamps]
    results = track(_finished(out, keys, identity), follows)
    if supported:
        results = keep_supported(results, follows, recording.camera.fx)
    pictures = {keys[i] for i in shown(len(keys), PICTURES)}

    with replacing(out, KIND, keep=FLOW) as new:
        with (new / MOTION).open("w", encoding="utf-8") as file:
            _write_json(file, _kept(recording, new, results, pictures), settings)


def _finished(out: Path, keys: list[str], identity: str) -> Iterator[MotionResult]:
    for key in keys:
        result = read_frame(out, key, identity)
        if result is None:
            raise ResultError(
                f"expected the finished frame {key} in {out / 'frames'}, found it gone; the same command makes it again"
            )
        yield result


def _kept(
    recording: Recording, out: Path, results: Iterator[MotionResult], pictures: set[str]
) -> Iterator[dict[str, Any]]:
    """Write the map and perhaps the overlay of every frame; its entry of motion.json."""
    for result in results:
        write_image(instances_path(out, result.key), result.instances)
        if result.key in pictures:
            write_image(overlay_path(out, result.key), overlay(recording.left(result.key), result))
        yield frame_json(result)


def _write_json(file: TextIO, rows: Iterator[dict[str, Any]], settings: dict[str, Any]) -> None:
    """What `json.dump` gives for {"frames": [...], "settings": ...}, row by row."""
    file.write('{"frames": [')
    for i, row in enumerate(rows):
        file.write((", " if i else "") + json.dumps(row))
    file.write(f'], "settings": {json.dumps(settings)}}}\n')


def overlay(image: np.ndarray, result: MotionResult) -> np.ndarray:
    """(H, W, 3) uint8 RGB with the objects in colour, outlined, with their track ids."""
    colors = {item.id: _color(item.track_id or item.id) for item in result.objects}
    table = np.zeros((int(result.instances.max()) + 1, 3), np.uint8)
    for number, color in colors.items():
        table[number] = color
    out = tint(image, np.where(np.isin(result.instances, list(colors)), result.instances, 0), table)
    for item in result.objects:
        mask, color = result.instances == item.id, colors[item.id]
        outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, outline, -1, color, 1)
        v, u = np.nonzero(mask)
        cv2.putText(
            out,
            str(item.track_id or item.id),
            (int(u.mean()), int(v.mean())),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (255, 255, 255),
            1,
        )
    return out


def _color(number: int) -> Color:
    hue = np.array([[[number * 47 % 180, 220, 255]]], np.uint8)
    return tuple(int(c) for c in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])  # type: ignore[return-value]
