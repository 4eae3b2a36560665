"""What the tests of the launched node share: the launched process, a peer beside it in a ROS domain of its own, a
picture and what is seen in it."""

from __future__ import annotations

import array
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.msg import PanopticImage

LIMIT_S = 240.0  # a loaded machine may take long; nothing here waits longer than it must
ROS2 = shutil.which("ros2", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
ROOT = Path(__file__).parents[3]


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
        self.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: self.status.extend(message.status), 10
        )
        self.publishers = {
            kind: self.node.create_publisher(kind, topic, 1)
            for kind, topic in ((Image, "/camera/image"), (CompressedImage, "/camera/image/compressed"))
        }

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

    def call(self, service: type, name: str, request: Any, node: str = "/panoptic_node") -> Any:
        client = self.node.create_client(service, f"{node}/{name}")
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

    def answers(
        self, message: Image | CompressedImage, kind: type = PanopticImage, topic: str = "/cups/panoptic"
    ) -> Any:
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


def launched(domain: int, *arguments: str, file: str = "panoptic.launch.py") -> subprocess.Popen:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return subprocess.Popen(
        [ROS2, "launch", "cups_ros", file, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


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


@pytest.fixture(scope="session")
def street() -> type:
    """The picture, its message, and the check of an answer to it."""
    return Street


@pytest.fixture(scope="session")
def launching() -> type:
    """How a launch file is started, met and stopped."""
    return Launching


class Launching:
    """`start(domain, *arguments, file=)` gives the process, `Peer(domain, process)` a node beside it, `stop(process,
    signal)` what it wrote."""

    Peer = Peer
    limit_s, ros2, root = LIMIT_S, ROS2, ROOT
    start, stop = staticmethod(launched), staticmethod(stopped)


class Street:
    """A picture that the tiny model knows: road above, sky below, a car in the middle."""

    @staticmethod
    def picture() -> np.ndarray:
        """128x192 RGB, twice the model's size: green above row 64, black below, one red block, so that the car is
        there."""
        rgb = np.zeros((128, 192, 3), np.uint8)
        rgb[:64, :, 1] = 255
        rgb[120:128, 180:192] = (255, 0, 0)
        return rgb

    @staticmethod
    def image() -> Image:
        """The picture as bgr8 with 8 bytes of padding in each row."""
        rows = np.full((128, 192 * 3 + 8), 255, np.uint8)
        rows[:, :-8] = Street.picture()[..., ::-1].reshape(128, -1)
        message = Image(
            encoding="bgr8", height=128, width=192, step=rows.shape[1], data=array.array("B", rows.tobytes())
        )
        message.header.frame_id, message.header.stamp.sec, message.header.stamp.nanosec = "left_optical", 123, 456
        return message

    @staticmethod
    def check_answer(answer: PanopticImage) -> None:
        for part in (answer, answer.class_map, answer.instance_map):
            assert (part.header.frame_id, part.header.stamp.sec, part.header.stamp.nanosec) == (
                "left_optical",
                123,
                456,
            )
        Street.check_map(answer)

    @staticmethod
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
        rows = {
            s.class_id: (s.instance_id, s.is_thing, round(s.score, 3), s.area, s.bbox.tolist()) for s in answer.segments
        }
        assert rows == {
            2: (1, True, 0.8, 64 * 96 - 4, [48, 32, 96, 64]),
            1: (0, False, 1.0, 64 * 192 - 32 * 96 + 2, [0, 0, 192, 64]),
            3: (0, False, 1.0, 64 * 192 - 32 * 96 + 2, [0, 64, 192, 64]),
        }
