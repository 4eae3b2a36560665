"""What the tests of the vehicle side share: ROS where it is there, and a tiny real model."""

from __future__ import annotations

import array
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HEIGHT, WIDTH = 64, 96
LIMIT_S = 240.0  # a loaded machine may take long; nothing here waits longer than it must
CLASSES = [
    {"id": 1, "name": "road", "isthing": 0, "color": [128, 64, 128]},
    {"id": 2, "name": "car", "isthing": 1, "color": [0, 0, 142]},
    {"id": 3, "name": "sky", "isthing": 0, "color": [70, 130, 180]},
]
ROS_TESTS = (
    "test_images.py",
    "test_messages.py",
    "test_panoptic_node.py",
    "launch",
    "test_markers.py",
    "test_node_equals_predict.py",
    "test_vision_msgs.py",
    "test_inputs.py",
    "test_lifecycle.py",
    "test_listening.py",
    "test_watchdog.py",
    "test_parameters.py",
)
ONE_CAR = ((24, 16, 72, 48), (0, 0, 0, 0))  # boxes: x1, y1, x2, y2
Boxes = tuple[tuple[float, float, float, float], tuple[float, float, float, float]]
OUTPUTS = {
    "boxes": ([2, 4], "float32"),
    "scores": ([2], "float32"),
    "class_id": ([2], "int32"),
    "masks": ([2, 28, 28], "float32"),
    "semantic": ([HEIGHT, WIDTH], "int32"),
}
collect_ignore = []

if not os.environ.get("CUPS_REQUIRE_ROS"):  # `make test` sets it: there, missing messages are an error
    try:
        import rclpy  # noqa: F401

        import cups_ros.msg  # noqa: F401
    except ImportError:
        collect_ignore.extend(ROS_TESTS)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of 64x96 pixels: a car in rows 16..47, columns 24..71 where any pixel is fully red; road where
    green > 127, else sky."""
    return write_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def two_cars_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a second car of half the score in rows 40..63, columns 0..29."""
    return write_model(tmp_path_factory.mktemp("two") / "model", (ONE_CAR[0], (0, 40, 30, 64)), (0.8, 0.4))


@pytest.fixture(scope="session")
def unknown_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `model_folder` with some thing instead of the sky, and the class unknown object."""
    folder = write_model(tmp_path_factory.mktemp("unknown") / "model", elsewhere=0)
    card = json.loads((folder / "model.json").read_text())
    card["classes"].append({"id": 4, "name": "unknown object", "isthing": 1, "color": [200, 100, 0], "unknown": 1})
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def write_model(
    folder: Path, boxes: Boxes = ONE_CAR, scores: tuple[float, float] = (0.8, 0.0), elsewhere: int = 3
) -> Path:
    """An exported model folder around `tiny_graph`."""
    folder.mkdir()
    graph = tiny_graph(boxes, scores, elsewhere)
    (folder / "model.onnx").write_bytes(graph)
    card = {
        "format": 1,
        "name": "tiny",
        "input": {
            "name": "image",
            "height": HEIGHT,
            "width": WIDTH,
            "layout": "NHWC",
            "dtype": "uint8",
            "color": "rgb",
            "range": [0, 255],
        },
        "outputs": [
            {"name": name, "shape": shape, "dtype": dtype, "meaning": name} for name, (shape, dtype) in OUTPUTS.items()
        ],
        "classes": CLASSES,
        "thresholds": {"score": 0.5, "overlap": 0.5, "mask": 0.5, "stuff_area": 0.001},
        "precision": "fp32",
        "opset": 18,
        "sha256": hashlib.sha256(graph).hexdigest(),
        "training_run": "tiny",
        "weights": [],
    }
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def tiny_graph(boxes: Boxes, scores: tuple[float, float], elsewhere: int) -> bytes:
    """The graph of `model_folder`: scores of cars where a pixel is fully red, and what is seen where no road is."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "boxes_": np.array(boxes, np.float32),
        "class_": np.array([2, 2], np.int32),
        "masks_": np.ones((2, 28, 28), np.float32),
        "weight": np.array(scores, np.float32) / np.float32(255),
        "zero": np.int64(0),
        "one": np.int64(1),
        "half": np.array(127.5, np.float32),
        "road": np.array(1, np.int32),
        "elsewhere": np.array(elsewhere, np.int32),
        "first": np.array([0], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        node("Gather", ["pixels", "zero"], ["red"], axis=3),
        node("Gather", ["pixels", "one"], ["green_"], axis=3),
        node("Squeeze", ["green_", "first"], ["green"]),
        node("ReduceMax", ["red"], ["brightest"], keepdims=0),
        node("Mul", ["brightest", "weight"], ["scores"]),
        node("Greater", ["green", "half"], ["is_road"]),
        node("Where", ["is_road", "road", "elsewhere"], ["semantic"]),
        node("Identity", ["boxes_"], ["boxes"]),
        node("Identity", ["class_"], ["class_id"]),
        node("Identity", ["masks_"], ["masks"]),
    ]
    types = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info(name, types[kind], shape) for name, (shape, kind) in OUTPUTS.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


class Graph:
    """A node, spun in a thread of its own, and a peer that talks to it over the transport."""

    def __init__(self, node: Any, context: Any) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import CameraInfo, Image

        self.node, self.context = node, context
        self.peer = rclpy.create_node("peer", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.peer)
        self.status: list[Any] = []
        self.peer.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: self.status.extend(message.status), 10
        )
        self.images = self.peer.create_publisher(Image, "/image", 1)
        self.infos = self.peer.create_publisher(CameraInfo, "/camera_info", 1)
        self.answers: list[Any] = []

    @staticmethod
    def picture(red: int = 255) -> np.ndarray:
        """Green left half: road; else sky. One pixel with `red` gives the car the score 0.8 * red / 255."""
        rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        rgb[:, : WIDTH // 2, 1] = 255
        rgb[0, 0, 0] = red
        return rgb

    def image(self, stamp_ns: int = 0) -> Any:
        """The picture as a message."""
        from sensor_msgs.msg import Image

        data = array.array("B", self.picture().tobytes())
        message = Image(encoding="rgb8", height=HEIGHT, width=WIDTH, step=3 * WIDTH, data=data)
        message.header.frame_id = "left_optical"
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        return message

    def until(self, condition: Callable[[], Any], doing: Callable[[], None] | None = None) -> None:
        """Spin, and repeat `doing` every 0.1 s, until the condition holds."""
        end, again = time.monotonic() + LIMIT_S, 0.0
        while not condition():
            assert time.monotonic() < end, f"gave up; last status: {self.status[-1:]}"
            if doing is not None and time.monotonic() >= again:
                doing()
                again = time.monotonic() + 0.1
            self.executor.spin_once(timeout_sec=0.02)

    def listen(self, kind: type | None = None, topic: str = "/cups/panoptic") -> list[Any]:
        """Messages of a topic as they come; without a kind: the answers."""
        from cups_ros.msg import PanopticImage

        got: list[Any] = self.answers if kind is None else []
        self.peer.create_subscription(kind or PanopticImage, topic, got.append, 10)
        return got

    def ask(self, message: Any) -> Any:
        """Publish an image message until the answer with its stamp comes."""
        self.answers.clear()
        self.until(
            lambda: any(a.header.stamp == message.header.stamp for a in self.answers),
            lambda: self.images.publish(message),
        )
        return next(answer for answer in self.answers if answer.header.stamp == message.header.stamp)

    def values(self) -> dict[str, str]:
        """The values of the next diagnostics."""
        self.status.clear()
        self.until(lambda: self.status)
        return {item.key: item.value for item in self.status[-1].values}

    def told(self, text: str) -> None:
        """Until the diagnostics say this."""
        self.until(lambda: any(text in s.message or any(text in v.value for v in s.values) for s in self.status))

    def set(self, **values: Any) -> bool:
        """Set parameters; were all taken?"""
        from rclpy.parameter import Parameter

        return all(
            result.successful
            for result in self.node.set_parameters([Parameter(name, value=value) for name, value in values.items()])
        )


@pytest.fixture
def running() -> Callable[..., AbstractContextManager[Graph]]:
    """`with running(model_folder, load=..., PARAMETER=...) as graph`: a node in this process, active unless
    autostart=False, in a ROS domain of its own."""
    return _running


@contextmanager
def _running(model: Path, load: Callable[..., Any] | None = None, **parameters: Any) -> Iterator[Graph]:
    import rclpy
    from rclpy.context import Context
    from rclpy.parameter import Parameter

    from cups_ros.guarding import Spinning
    from cups_ros.model import load_model
    from cups_ros.panoptic_node import PanopticNode

    patch = pytest.MonkeyPatch()
    patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(args=[], context=context, domain_id=30 + (os.getpid() + 51) % 35)
    values = {"model": str(model), "engines": "onnxruntime-cpu", "threads": 1, "autostart": True, **parameters}
    node = PanopticNode(
        load or load_model,
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    spinning = Spinning(node, node.inputs_group)
    thread = threading.Thread(target=_spin, args=(spinning,))
    thread.start()
    graph = Graph(node, context)
    try:
        graph.until(
            lambda: node._state_machine.current_state[1] == ("active" if values["autostart"] else "unconfigured")
        )
        yield graph
    finally:
        graph.peer.destroy_node()
        spinning.shutdown()
        node.close()
        context.try_shutdown()
        thread.join()
        patch.undo()


def _spin(spinning: Any) -> None:
    from rclpy.executors import ExternalShutdownException

    try:
        spinning.spin()
    except ExternalShutdownException:
        pass
