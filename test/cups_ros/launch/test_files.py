"""The launch files: arguments, several cameras, a recording, a model that is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.srv import GetParameters
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image

from cups_ros.msg import PanopticImage


def write_recording(path: Path, street: Any) -> None:
    """The picture ten times, 0.1 s apart, as PNG."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kinds, name = store.types, "sensor_msgs/msg/CompressedImage"
    data = cv2.imencode(".png", street.picture()[..., ::-1])[1].ravel()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera/image/compressed", name, typestore=store)
        for number in range(10):
            header = kinds["std_msgs/msg/Header"](kinds["builtin_interfaces/msg/Time"](100 + number, 0), "left_optical")
            writer.write(
                connection,
                (1000 + number) * 100_000_000,
                store.serialize_cdr(kinds[name](header, "bgr8; png compressed bgr8", data), name),
            )


def test_missing_model_is_told_and_the_node_lives(local_only: None, tmp_path: Path, launching: Any) -> None:
    domain = 30 + (os.getpid() + 5) % 35
    process = launching.start(domain, f"model:={tmp_path / 'nothing'}")
    peer = launching.Peer(domain, process)
    try:
        peer.until(lambda: any(s.level == DiagnosticStatus.ERROR and "nothing" in s.message for s in peer.status))
        assert peer.state() == "unconfigured"
    finally:
        peer.close()
        output = launching.stop(process, signal.SIGTERM)
    assert "cannot load the model: expected a model folder" in output and "Traceback" not in output, output


def test_several_cameras_have_a_node_each_and_files_of_parameters_compose(
    local_only: None, model_folder: Path, tmp_path: Path, launching: Any, street: Any
) -> None:
    common, own = tmp_path / "common.yaml", tmp_path / "own.yaml"
    common.write_text("/**:\n  ros__parameters: {overlay_alpha: 0.25, max_rate_hz: 500.0}\n")
    own.write_text("/front/panoptic_node:\n  ros__parameters: {max_rate_hz: 700.0}\n")
    domain = 30 + (os.getpid() + 12) % 35
    process = launching.start(
        domain,
        f"model:={model_folder}",
        "cameras:=front,rear",
        "image:=/{camera}/image_rect",
        "engines:=onnxruntime-cpu",
        f"params_file:={common},{own}",
    )
    peer = launching.Peer(domain, process)
    try:
        got: dict[str, list[PanopticImage]] = {"front": [], "rear": []}
        publishers = {name: peer.node.create_publisher(Image, f"/{name}/image_rect", 1) for name in got}
        for name, answers in got.items():
            peer.node.create_subscription(PanopticImage, f"/{name}/cups/panoptic", answers.append, 1)

        def both() -> None:
            for number, publisher in enumerate(publishers.values()):
                message = street.image()
                message.header.stamp.sec = number
                publisher.publish(message)

        peer.until(lambda: all(got.values()), both)
        assert [answers[-1].header.stamp.sec for answers in got.values()] == [0, 1]
        request = GetParameters.Request(names=["overlay_alpha", "max_rate_hz"])
        values = {
            name: peer.call(GetParameters, "get_parameters", request, f"/{name}/panoptic_node").values for name in got
        }
        assert {name: [value.double_value for value in row] for name, row in values.items()} == {
            "front": [0.25, 700.0],
            "rear": [0.25, 500.0],
        }
        peer.until(
            lambda: {status.name for status in peer.status} == {f"{name}/panoptic_node: panoptic" for name in got}
        )
    finally:
        peer.close()
        output = launching.stop(process, signal.SIGINT)
    assert (
        output.count("listening to /front/image_rect") == output.count("listening to /rear/image_rect") == 1
        and "Traceback" not in output
    ), output


def test_a_recording_is_played_into_the_node(
    local_only: None, model_folder: Path, tmp_path: Path, launching: Any, street: Any
) -> None:
    write_recording(tmp_path / "recording", street)
    domain = 30 + (os.getpid() + 28) % 35
    process = launching.start(
        domain,
        f"model:={model_folder}",
        f"recording:={tmp_path / 'recording'}",
        "image:=/camera/image",
        "transport:=compressed",
        "rate:=0.5",
        "delay:=6",
        file="recording.launch.py",
    )
    peer = launching.Peer(domain, process)
    try:
        got: list[PanopticImage] = []
        peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 10)
        peer.until(lambda: got)
        assert 100 <= got[-1].header.stamp.sec < 110
        street.check_map(got[-1])
    finally:
        peer.close()
        output = launching.stop(process, signal.SIGINT)
    assert "Traceback" not in output, output


@pytest.mark.parametrize("file", ["panoptic.launch.py", "live_camera.launch.py", "recording.launch.py"])
def test_launch_files_show_their_arguments(file: str, launching: Any) -> None:
    environment = {**os.environ, "AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix)}
    shown = subprocess.run(
        [launching.ros2, "launch", "--show-args", "cups_ros", file],
        capture_output=True,
        text=True,
        check=True,
        timeout=launching.limit_s,
        cwd=launching.root,
        env=environment,
    ).stdout
    assert "    model:\n        exported model folder" in shown and "    image:\n" in shown
