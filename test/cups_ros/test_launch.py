"""The launched node with a real model: what it answers, not merely that it answers. In a ROS domain of its own."""
from __future__ import annotations

import array
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.msg import LabelInfo, PanopticImage

LIMIT_S = 240.0  # a loaded machine may take long; nothing here waits longer than it must
ROS2 = shutil.which("ros2", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
ROOT = Path(__file__).parents[2]


class Peer:
    """A node beside the launched one, and the launched process."""

    def __init__(self, domain: int, process: subprocess.Popen) -> None:
        self.process = process
        self.context = Context()
        rclpy.init(args=[], context=self.context, domain_id=domain)
        self.node = rclpy.create_node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status: list[DiagnosticStatus] = []
        self.node.create_subscription(DiagnosticArray, "/diagnostics", lambda message: self.status.extend(message.status), 10)
        self.publishers = {kind: self.node.create_publisher(kind, topic, 1)
                           for kind, topic in ((Image, "/camera/image"), (CompressedImage, "/camera/image/compressed"))}

    def until(self, condition: Callable[[], Any], doing: Callable[[], None] | None = None) -> None:
        """Spin, and repeat `doing` every 0.2 s, until the condition holds."""
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, f"gave up; last status: {self.status[-1:]}"
            if doing is not None:
                doing()
            self.spin(0.2, condition)

    def spin(self, seconds: float, condition: Callable[[], Any] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not condition():
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, service: type, name: str, request: Any) -> Any:
        client = self.node.create_client(service, f"/panoptic_node/{name}")
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        self.node.destroy_client(client)
        return future.result()

    def state(self) -> str:
        return self.call(GetState, "get_state", GetState.Request()).current_state.label

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return self.call(ChangeState, "change_state", request).success

    def set_parameter(self, name: str, value: str) -> Any:
        parameter = Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value))
        return self.call(SetParameters, "set_parameters", SetParameters.Request(parameters=[parameter])).results[0]

    def values(self) -> dict[str, str]:
        """The values of the next diagnostics."""
        self.status.clear()
        self.until(lambda: self.status)
        return {item.key: item.value for item in self.status[-1].values}

    def answers(self, message: Image | CompressedImage, kind: type = PanopticImage, topic: str = "/cups/panoptic") -> Any:
        """Publish the message until one of its kind is answered on the topic."""
        got: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, got.append, 1)
        self.until(lambda: got, lambda: self.publishers[type(message)].publish(message))
        self.node.destroy_subscription(subscription)
        return got[-1]

    def close(self) -> None:
        self.executor.remove_node(self.node)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


def write_recording(path: Path) -> None:
    """The picture ten times, 0.1 s apart, as PNG."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kinds, name = store.types, "sensor_msgs/msg/CompressedImage"
    data = cv2.imencode(".png", picture()[..., ::-1])[1].ravel()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera/image/compressed", name, typestore=store)
        for number in range(10):
            header = kinds["std_msgs/msg/Header"](kinds["builtin_interfaces/msg/Time"](100 + number, 0), "left_optical")
            writer.write(connection, (1000 + number) * 100_000_000, store.serialize_cdr(kinds[name](header, "bgr8; png compressed bgr8", data), name))


def launched(domain: int, *arguments: str, file: str = "panoptic.launch.py") -> subprocess.Popen:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return subprocess.Popen([ROS2, "launch", "cups_ros", file, *arguments], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


def stopped(process: subprocess.Popen, number: int) -> str:
    """Stop the launch by a signal; what it wrote."""
    process.send_signal(number)
    try:
        return process.communicate(timeout=LIMIT_S)[0]
    finally:
        process.kill()


@pytest.fixture(scope="module")
def local_only() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def peer(local_only: None, model_folder: Path) -> Iterator[Peer]:
    domain = 30 + os.getpid() % 70
    process = launched(domain, "image:=/camera/image", f"model:={model_folder}")
    peer = Peer(domain, process)
    peer.until(lambda: peer.status and {i.key: i.value for i in peer.status[-1].values}["state"] == "active")
    yield peer
    peer.close()
    if process.poll() is None:
        stopped(process, signal.SIGINT)


def picture() -> np.ndarray:
    """128x192 RGB, twice the model's size: green above row 64, black below, one red block, so that the car is there."""
    rgb = np.zeros((128, 192, 3), np.uint8)
    rgb[:64, :, 1] = 255
    rgb[120:128, 180:192] = (255, 0, 0)
    return rgb


def image() -> Image:
    """The picture as bgr8 with 8 bytes of padding in each row."""
    rows = np.full((128, 192 * 3 + 8), 255, np.uint8)
    rows[:, :-8] = picture()[..., ::-1].reshape(128, -1)
    message = Image(encoding="bgr8", height=128, width=192, step=rows.shape[1], data=array.array("B", rows.tobytes()))
    message.header.frame_id, message.header.stamp.sec, message.header.stamp.nanosec = "left_optical", 123, 456
    return message


def check_answer(answer: PanopticImage) -> None:
    for part in (answer, answer.class_map, answer.instance_map):
        assert (part.header.frame_id, part.header.stamp.sec, part.header.stamp.nanosec) == ("left_optical", 123, 456)
    check_map(answer)


def check_map(answer: PanopticImage) -> None:
    expected = np.full((128, 192), 3, np.uint8)
    expected[:64] = 1
    expected[32:96, 48:144] = 2
    # At the corners of the box the 28x28 mask fades to 0.646 * 0.719 < 0.5.
    expected[32, [48, 143]], expected[95, [48, 143]] = 1, 3
    class_map = np.frombuffer(answer.class_map.data, np.uint8).reshape(128, 192)
    instance_map = np.frombuffer(answer.instance_map.data, "<u2").reshape(128, 192)
    assert (class_map == expected).all()
    assert (instance_map == (expected == 2)).all()
    rows = {s.class_id: (s.instance_id, s.is_thing, round(s.score, 3), s.area, s.bbox.tolist()) for s in answer.segments}
    assert rows == {2: (1, True, 0.8, 64 * 96 - 4, [48, 32, 96, 64]), 1: (0, False, 1.0, 64 * 192 - 32 * 96 + 2, [0, 0, 192, 64]),
                    3: (0, False, 1.0, 64 * 192 - 32 * 96 + 2, [0, 64, 192, 64])}


def test_answer_has_header_size_and_ids(peer: Peer) -> None:
    check_answer(peer.answers(image()))


def test_label_info_is_latched(peer: Peer) -> None:
    got: list[LabelInfo] = []
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = peer.node.create_subscription(LabelInfo, "/cups/label_info", got.append, late)
    peer.until(lambda: got)
    peer.node.destroy_subscription(subscription)
    assert (list(got[0].id), got[0].name, got[0].is_thing) == ([1, 2, 3], ["road", "car", "sky"], [False, True, False])
    assert list(got[0].color) == [128, 64, 128, 0, 0, 142, 70, 130, 180] and got[0].model == "tiny"


def test_overlay_has_header_size_and_colours(peer: Peer) -> None:
    answer = peer.answers(image(), Image, "/cups/overlay")
    assert (answer.encoding, answer.height, answer.width) == ("rgb8", 128, 192)
    assert (answer.header.frame_id, answer.header.stamp.nanosec) == ("left_optical", 456)
    rgb = np.frombuffer(answer.data, np.uint8).reshape(128, 192, 3)
    assert np.abs(rgb[10, 10].astype(int) - [64, 160, 64]).max() <= 1  # half green, half road
    assert rgb[32, 60].tolist() == [255, 255, 255]  # outline of the car


def test_no_answer_is_made_when_nobody_asks(peer: Peer) -> None:
    peer.until(lambda: int(peer.values()["unasked"]) > 0, lambda: peer.publishers[Image].publish(image()))


def test_malformed_image_is_counted_and_survived(peer: Peer) -> None:
    bad = image()
    bad.step = 10
    answers: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", answers.append, 1)
    peer.until(lambda: int(peer.values()["malformed"]) > 0, lambda: peer.publishers[Image].publish(bad))
    peer.node.destroy_subscription(subscription)
    assert answers == []
    assert any(s.level == DiagnosticStatus.ERROR and "step is 10 bytes" in s.message for s in peer.status) or \
        "step is 10 bytes" in peer.values()["last_error"]
    check_answer(peer.answers(image()))


def test_every_image_is_accounted_for(peer: Peer) -> None:
    answers: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", answers.append, 100)
    peer.until(lambda: answers, lambda: peer.publishers[Image].publish(image()))
    for _ in range(40):
        peer.publishers[Image].publish(image())
    peer.spin(1.0)
    values = peer.values()
    peer.node.destroy_subscription(subscription)
    counts = {name: int(values[name]) for name in ("received", "answered", "dropped", "malformed", "failed", "unasked")}
    assert counts["received"] == sum(number for name, number in counts.items() if name != "received"), counts
    assert float(values["latency_p50_ms"]) > 0 and float(values["rate_hz"]) > 0 and values["engine"].startswith("onnxruntime")


def test_wrong_transition_is_refused_and_parameters_are_checked(peer: Peer) -> None:
    assert peer.change(1) is False  # configure, but it is active
    refused = peer.set_parameter("input_transport", "theora")
    assert not refused.successful and "expected one of raw, compressed" in refused.reason
    assert peer.state() == "active"


def test_deactivate_silences_and_compressed_images_follow_the_parameter(peer: Peer) -> None:
    assert peer.change(4) and peer.state() == "inactive"  # the launch file must not activate it again
    got: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 1)
    for _ in range(5):
        peer.publishers[Image].publish(image())
        peer.spin(0.1)
    assert not got and peer.set_parameter("input_transport", "compressed").successful and peer.change(3)
    peer.node.destroy_subscription(subscription)
    png = cv2.imencode(".png", picture()[..., ::-1])[1].tobytes()
    check_answer(peer.answers(CompressedImage(header=image().header, format="bgr8; png compressed bgr8", data=array.array("B", png))))


def test_killed_node_is_started_anew_and_answers_again(peer: Peer) -> None:
    values = peer.values()
    assert values["state"] == "active"
    for path in Path("/proc").glob("[0-9]*/cmdline"):  # the launch's child, in a session of its own
        if path.parent.joinpath("stat").exists() and parent_of(path.parent) == peer.process.pid and b"panoptic_node" in path.read_bytes():
            os.kill(int(path.parent.name), signal.SIGKILL)
    begun = time.monotonic()
    late = image()
    late.header.stamp.sec = 9
    got: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 1)
    peer.until(lambda: any(answer.header.stamp.sec == 9 for answer in got), lambda: peer.publishers[Image].publish(late))
    peer.node.destroy_subscription(subscription)
    print(f"answers again after {time.monotonic() - begun:.1f} s")
    check_map(got[-1])


def parent_of(process: Path) -> int:
    return int(process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])


def test_interrupt_ends_the_node_cleanly(peer: Peer) -> None:
    output = stopped(peer.process, signal.SIGINT)
    assert "exit code 0" in output or "finished cleanly" in output, output
    assert "Traceback" not in output, output


def test_missing_model_is_told_and_the_node_lives(local_only: None, tmp_path: Path) -> None:
    domain = 30 + (os.getpid() + 35) % 70
    process = launched(domain, f"model:={tmp_path / 'nothing'}")
    peer = Peer(domain, process)
    try:
        peer.until(lambda: any(s.level == DiagnosticStatus.ERROR and "nothing" in s.message for s in peer.status))
        assert peer.state() == "unconfigured"
    finally:
        peer.close()
        output = stopped(process, signal.SIGTERM)
    assert "cannot load the model: expected a model folder" in output and "Traceback" not in output, output


def test_several_cameras_have_a_node_each(local_only: None, model_folder: Path) -> None:
    domain = 30 + (os.getpid() + 12) % 70
    process = launched(domain, f"model:={model_folder}", "cameras:=front,rear", "image:=/{camera}/image_rect", "engines:=onnxruntime-cpu")
    peer = Peer(domain, process)
    try:
        got: dict[str, list[PanopticImage]] = {"front": [], "rear": []}
        publishers = {name: peer.node.create_publisher(Image, f"/{name}/image_rect", 1) for name in got}
        for name, answers in got.items():
            peer.node.create_subscription(PanopticImage, f"/{name}/cups/panoptic", answers.append, 1)

        def both() -> None:
            for number, publisher in enumerate(publishers.values()):
                message = image()
                message.header.stamp.sec = number
                publisher.publish(message)

        peer.until(lambda: all(got.values()), both)
        assert [answers[-1].header.stamp.sec for answers in got.values()] == [0, 1]
        peer.until(lambda: {status.name for status in peer.status} == {f"{name}/panoptic_node: panoptic" for name in got})
    finally:
        peer.close()
        output = stopped(process, signal.SIGINT)
    assert output.count("listening to /front/image_rect") == output.count("listening to /rear/image_rect") == 1 and "Traceback" not in output, output


def test_a_recording_is_played_into_the_node(local_only: None, model_folder: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "recording")
    domain = 30 + (os.getpid() + 28) % 70
    process = launched(domain, f"model:={model_folder}", f"recording:={tmp_path / 'recording'}", "image:=/camera/image", "transport:=compressed",
                       "rate:=0.5", "delay:=6", file="recording.launch.py")
    peer = Peer(domain, process)
    try:
        got: list[PanopticImage] = []
        peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 10)
        peer.until(lambda: got)
        assert 100 <= got[-1].header.stamp.sec < 110
        check_map(got[-1])
    finally:
        peer.close()
        output = stopped(process, signal.SIGINT)
    assert "Traceback" not in output, output


@pytest.mark.parametrize("file", ["panoptic.launch.py", "live_camera.launch.py", "recording.launch.py"])
def test_launch_files_show_their_arguments(file: str) -> None:
    shown = subprocess.run([ROS2, "launch", "--show-args", "cups_ros", file], capture_output=True, text=True, timeout=LIMIT_S, check=True, cwd=ROOT,
                           env={**os.environ, "AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix)}).stdout
    assert "    model:\n        exported model folder" in shown and "    image:\n" in shown
