"""The motion folder on disk (formats.md, section 3): instances/KEY.png, motion.json, and frames/ while a run is under
way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.errors import ResultError
from cups_train.files import read_image, read_json, sha256, write_image, write_json
from cups_train.folders.layout import MOTION
from cups_train.output import claim
from cups_train.types import Absence, MotionResult, MovingObject, Reason

KIND = "motion"
FRAMES = "frames"
FLOW = ("flow.safetensors", "flow/")  # what a flow network of its own leaves in the folder
CODES = {reason.value: reason for reason in Reason}


def is_finished(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds a whole result of these settings."""
    try:
        content = read_json(folder / MOTION)
        rows = content["frames"] if content["settings"] == settings else None
        return rows is not None and all(instances_path(folder, str(row["key"])).is_file() for row in rows)
    except (ResultError, KeyError, TypeError):
        return False


def begin_motion(folder: Path, keys: list[str]) -> None:
    """Say which files the frames will have. Those of an earlier run with the same settings are kept: see
    `has_frame`."""
    claim(folder, KIND, (f"{FRAMES}/{key}.{ending}" for key in keys for ending in ("json", "png")))


def identity_of(settings: dict[str, Any]) -> str:
    """What a frame's file says of the settings that it was made by."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def frame_json(result: MotionResult) -> dict[str, Any]:
    """One entry of `frames` in motion.json. `reason` is for people, `reason_code` for programs."""
    absence = result.absence
    return {
        "key": result.key,
        "stamp_ns": result.stamp_ns,
        "ego": None if result.ego is None else result.ego.tolist(),
        "objects": [
            {
                "id": o.id,
                "track_id": o.track_id,
                "score": round(o.score, 4),
                "pixels": o.pixels,
                "transform": o.transform.tolist(),
                "centroid_m": list(o.centroid_m),
                "source": o.source,
            }
            for o in result.objects
        ],
        "reason": None if absence is None else absence.detail,
        "reason_code": None if absence is None else absence.reason.value,
    }


def result_from(row: dict[str, Any], instances: np.ndarray) -> MotionResult:
    """The inverse of `frame_json`; instances: (H, W) uint16. Raises KeyError, TypeError or ValueError where the row
    does not fit."""
    ego = None if row.get("ego") is None else np.array(row["ego"], float).reshape(4, 4)
    absence = (
        None
        if row["reason"] is None
        else Absence(CODES.get(str(row.get("reason_code")), Reason.UNKNOWN), str(row["reason"]))
    )
    return MotionResult(
        str(row["key"]), int(row["stamp_ns"]), instances, ego, tuple(_object(o) for o in row["objects"]), absence
    )


def has_frame(folder: Path, key: str, identity: str) -> bool:
    """Whether a run under way with these settings has finished this frame."""
    return _frame_row(folder, key, identity) is not None


def write_frame(folder: Path, result: MotionResult, identity: str) -> None:
    """frames/KEY.png and frames/KEY.json, the frame by itself: the JSON comes last, marks it as done and says by which
    settings it was made."""
    image = folder / FRAMES / f"{result.key}.png"
    write_image(image, result.instances)
    row = {"settings": identity, "png": sha256(image), "frame": frame_json(result)}
    write_json(folder / FRAMES / f"{result.key}.json", row)


def read_frame(folder: Path, key: str, identity: str) -> MotionResult | None:
    """A finished frame of a run under way with these settings, or None."""
    row = _frame_row(folder, key, identity)
    return None if row is None else result_from(row, read_image(folder / FRAMES / f"{key}.png"))


def _frame_row(folder: Path, key: str, identity: str) -> dict[str, Any] | None:
    image = folder / FRAMES / f"{key}.png"
    try:
        row = read_json(image.with_suffix(".json"))
        whole = row["settings"] == identity and image.is_file() and row["png"] == sha256(image)
        return dict(row["frame"]) if whole else None
    except (ResultError, KeyError, TypeError):
        return None


class MotionFolder(dict[str, MotionResult]):
    """Results by key; the instance maps are read when they are asked for."""

    def __init__(self, folder: Path, rows: list[dict[str, Any]]) -> None:
        empty = np.zeros((0, 0), np.uint16)
        super().__init__((row["key"], result_from(row, empty)) for row in rows)
        self.folder = folder

    def instances(self, key: str) -> np.ndarray:
        """(H, W) uint16 map of a frame, 0 = none."""
        return read_instances(self.folder, key)


def read_motion(folder: Path) -> MotionFolder:
    """A finished motion folder: results by key without their maps, which `.instances(key)` reads. Raises
    ResultError."""
    content = read_json(folder / MOTION)
    try:
        return MotionFolder(folder, content["frames"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultError(
            f"expected the frames of a motion folder in {folder / MOTION}, found {type(error).__name__} at {error}; "
            f"`cups-train motion` makes it again"
        ) from error


def read_instances(folder: Path, key: str) -> np.ndarray:
    """(H, W) uint16 object ids of one frame, 0 = none. Raises ResultError."""
    return read_image(instances_path(folder, key)).astype(np.uint16)


def instances_path(folder: Path, key: str) -> Path:
    return folder / "instances" / f"{key}.png"


def _object(row: dict[str, Any]) -> MovingObject:
    x, y, z = row["centroid_m"]
    return MovingObject(
        int(row["id"]),
        row["track_id"],
        float(row["score"]),
        int(row["pixels"]),
        np.array(row["transform"], float).reshape(4, 4),
        (float(x), float(y), float(z)),
        str(row["source"]),
    )
