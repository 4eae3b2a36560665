"""Writes a stereo recording as a rosbag2 folder (MCAP, JPEG)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cups_ros.stamps import sec_nanosec
from cups_train.files import beside
from cups_train.types import StereoCamera

JPEG_QUALITY = 93
SIDES = ("left", "right")


@dataclass(frozen=True, eq=False)
class StereoWriter:
    """An open recording; the images are rectified, both of a pair have one stamp."""

    writer: Writer
    camera: StereoCamera
    connections: dict[str, tuple[Connection, Connection]]  # side -> image, camera_info

    def write(self, stamp_ns: int, left: np.ndarray, right: np.ndarray) -> None:
        """Add a pair, (H, W, 3) uint8 RGB each."""
        for side, image in zip(SIDES, (left, right), strict=True):
            picture, info = self.connections[side]
            types = _STORE.types
            header = types["std_msgs/msg/Header"](
                types["builtin_interfaces/msg/Time"](*sec_nanosec(stamp_ns)), f"stereo_{side}_optical"
            )
            _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            message = types["sensor_msgs/msg/CompressedImage"](header, "jpeg", data.ravel())
            self.writer.write(
                info, stamp_ns, _STORE.serialize_cdr(_camera_info(self.camera, side, header), info.msgtype)
            )
            self.writer.write(picture, stamp_ns, _STORE.serialize_cdr(message, picture.msgtype))


_STORE = get_typestore(Stores.ROS2_JAZZY)


@contextmanager
def stereo_recording(folder: Path, camera: StereoCamera) -> Iterator[StereoWriter]:
    """Open a recording; `folder` appears when it is complete, and nothing is left behind when it fails."""
    unfinished = beside(folder) / folder.name  # rosbags names the file after the folder
    unfinished.parent.mkdir(parents=True)
    try:
        with Writer(unfinished, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
            yield StereoWriter(writer, camera, {side: _connections(writer, side) for side in SIDES})
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished.parent, ignore_errors=True)


def _connections(writer: Writer, side: str) -> tuple[Connection, Connection]:
    image = writer.add_connection(
        f"/stereo/{side}/image_rect/compressed", "sensor_msgs/msg/CompressedImage", typestore=_STORE
    )
    return image, writer.add_connection(f"/stereo/{side}/camera_info", "sensor_msgs/msg/CameraInfo", typestore=_STORE)


def _camera_info(camera: StereoCamera, side: str, header: object) -> object:
    k = np.array([camera.fx, 0, camera.cx, 0, camera.fy, camera.cy, 0, 0, 1.0])
    p = np.array([camera.fx, 0, camera.cx, 0, 0, camera.fy, camera.cy, 0, 0, 0, 1.0, 0])
    if side == "right":
        p[3] = -camera.depth_scale
    region = _STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return _STORE.types["sensor_msgs/msg/CameraInfo"](
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=k,
        r=np.eye(3).ravel(),
        p=p,
        binning_x=0,
        binning_y=0,
        roi=region,
    )
