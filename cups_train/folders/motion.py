"""The motion folder on disk (formats.md, section 3): instances/KEY.png, motion.json, and frames/ while a run is under
way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.errors import ResultError
from cups_train.files import check_out, read_image, read_json, write_image, write_json
from cups_train.folders.layout import MOTION, OVERLAYS
from cups_train.types import Absence, MotionResult, MovingObject, Reason

OWN = {"frames", "instances", OVERLAYS, MOTION, "flow", "flow.safetensors"}
CODES = {reason.value: reason for reason in Reason}


def check_motion_out(out: Path) -> None:
    """Raises CupsError where `out` cannot become a motion folder."""
    check_out(out, OWN)


def is_finished(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds a whole result of these settings."""
    return (folder / MOTION).exists() and read_json(folder / MOTION).get("settings") == settings


def begin_motion(folder: Path, settings: dict[str, Any]) -> None:
    """Keep what an earlier run with the same settings has finished, nothing else."""
    path = folder / "frames" / "settings.json"
    if not path.exists() or read_json(path) != settings:
        for name in ("frames", "instances", OVERLAYS):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / MOTION).unlink(missing_ok=True)
        write_json(path, settings)


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


def has_frame(folder: Path, key: str) -> bool:
    """Whether a run under way has finished this frame."""
    return (folder / "frames" / f"{key}.json").exists()


def write_frame(folder: Path, result: MotionResult) -> None:
    """frames/KEY.png and frames/KEY.json, the frame by itself: the JSON comes last and marks it as done."""
    write_image(folder / "frames" / f"{result.key}.png", result.instances)
    write_json(folder / "frames" / f"{result.key}.json", frame_json(result))


def read_frame(folder: Path, key: str) -> MotionResult | None:
    """A finished frame of a run under way, or None."""
    path = folder / "frames" / f"{key}.json"
    return result_from(read_json(path), read_image(folder / "frames" / f"{key}.png")) if path.exists() else None


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
    return read_image(folder / "instances" / f"{key}.png").astype(np.uint16)


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
