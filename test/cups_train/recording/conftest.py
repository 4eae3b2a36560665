"""Small bags written on the spot: a textured wall at 8 px disparity, seen by a pair of cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

HEIGHT, WIDTH, DISPARITY = 48, 64, 8
FX, BASELINE = 50.0, 0.2
START = 1_700_000_000_000_000_000
STEP = 100_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, COMPRESSED, INFO = (f"sensor_msgs/msg/{kind}" for kind in ("Image", "CompressedImage", "CameraInfo"))


@dataclass(frozen=True, eq=False)
class Row:
    """One message of a bag."""

    topic: str
    type: str
    log_ns: int
    message: Any


class Bags:
    """Builds messages and writes them to bags below a folder."""

    height, width, disparity, fx, baseline, start, step = HEIGHT, WIDTH, DISPARITY, FX, BASELINE, START, STEP

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def header(self, stamp_ns: int, frame: str = "camera") -> Any:
        t = STORE.types
        return t["std_msgs/msg/Header"](
            t["builtin_interfaces/msg/Time"](int(stamp_ns // 10**9), int(stamp_ns % 10**9)), frame
        )

    def raw(
        self,
        pixels: np.ndarray,
        stamp_ns: int,
        encoding: str = "rgb8",
        padding: int = 0,
        big: bool = False,
        frame: str = "camera",
    ) -> Any:
        rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
        return STORE.types[IMAGE](
            self.header(stamp_ns, frame),
            pixels.shape[0],
            pixels.shape[1],
            encoding,
            int(big),
            rows.shape[1],
            rows.ravel(),
        )

    def compressed(
        self, image: np.ndarray, stamp_ns: int, ending: str = ".png", form: str = "png", frame: str = "camera"
    ) -> Any:
        bgr = image[..., ::-1] if image.ndim == 3 else image
        return STORE.types[COMPRESSED](
            self.header(stamp_ns, frame), form, cv2.imencode(ending, np.ascontiguousarray(bgr))[1].ravel()
        )

    def info(self, right: bool, stamp_ns: int = START, frame: str = "camera", **other: Any) -> Any:
        k = np.array([FX, 0, 31.5, 0, FX, 23.5, 0, 0, 1])
        p = np.array([FX, 0, 31.5, -FX * BASELINE if right else 0, 0, FX, 23.5, 0, 0, 0, 1, 0])
        values = {
            "height": HEIGHT,
            "width": WIDTH,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": k,
            "r": np.eye(3).ravel(),
            "p": p,
        } | other
        roi = STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        return STORE.types[INFO](self.header(stamp_ns, frame), *values.values(), 0, 0, roi)

    def pair(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Left and right (H, W, 3) uint8 of one moment; the number sets the texture."""
        noise = (
            np.random.default_rng(number).integers(0, 255, (HEIGHT // 4, (WIDTH + DISPARITY) // 4, 3)).astype(np.uint8)
        )
        wall = cv2.resize(noise, (WIDTH + DISPARITY, HEIGHT), interpolation=cv2.INTER_CUBIC)
        return wall[:, :WIDTH].copy(), wall[:, DISPARITY:].copy()

    def stereo(
        self,
        stamps: Iterable[int],
        right_stamps: Iterable[int] | None = None,
        left: str = "/stereo/left/image_raw",
        right: str = "/stereo/right/image_raw",
        logs: Iterable[int] | None = None,
        infos: bool = True,
    ) -> list[Row]:
        """Raw images with these stamps; log time = stamp, or `logs`."""
        stamps = list(stamps)
        right_stamps = stamps if right_stamps is None else list(right_stamps)
        logs = stamps if logs is None else list(logs)
        rows = []
        for side, topic, times in ((0, left, stamps), (1, right, right_stamps)):
            if infos:
                rows.append(
                    Row(f"{topic.rpartition('/')[0]}/camera_info", INFO, logs[0], self.info(bool(side), times[0]))
                )
            rows += [
                Row(topic, IMAGE, log, self.raw(self.pair(i)[side], time))
                for i, (time, log) in enumerate(zip(times, logs, strict=True))
            ]
        return rows

    def write(
        self,
        rows: list[Row],
        name: str = "drive",
        storage: StoragePlugin = StoragePlugin.MCAP,
        compression: CompressionMode = CompressionMode.NONE,
    ) -> Path:
        path = self.folder / name
        writer = Writer(path, version=9, storage_plugin=storage)
        writer.set_compression(compression, CompressionFormat.ZSTD)
        with writer:
            known: dict[str, Any] = {}
            for row in sorted(rows, key=lambda row: row.log_ns):
                if row.topic not in known:
                    known[row.topic] = writer.add_connection(row.topic, row.type, typestore=STORE)
                writer.write(known[row.topic], row.log_ns, STORE.serialize_cdr(row.message, row.type))
        return path

    def steady(self, count: int = 4) -> list[int]:
        return [START + i * STEP for i in range(count)]


@pytest.fixture
def bags(tmp_path: Path) -> Bags:
    return Bags(tmp_path)


@pytest.fixture
def serialize() -> Callable[[Any, str], bytes]:
    return lambda message, kind: bytes(STORE.serialize_cdr(message, kind))
