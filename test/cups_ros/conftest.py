"""What the tests of the vehicle side share: ROS where it is there, and a tiny real model."""
from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

HEIGHT, WIDTH = 64, 96
CLASSES = [
    {"id": 1, "name": "road", "isthing": 0, "color": [128, 64, 128]},
    {"id": 2, "name": "car", "isthing": 1, "color": [0, 0, 142]},
    {"id": 3, "name": "sky", "isthing": 0, "color": [70, 130, 180]},
]
ROS_TESTS = ("test_messages.py", "test_panoptic_node.py", "test_launch.py", "test_markers.py", "test_predict_equals_node.py")
collect_ignore = []

if not os.environ.get("CUPS_REQUIRE_ROS"):  # `make test` sets it: there, missing messages are an error
    try:
        import rclpy  # noqa: F401

        import cups_ros.msg  # noqa: F401
    except ImportError:
        collect_ignore.extend(ROS_TESTS)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of 64x96 pixels: a car in rows 16..47, columns 24..71 where any pixel is fully red; road where green > 127, else sky."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    graph = tiny_graph()
    (folder / "model.onnx").write_bytes(graph)
    outputs = {"boxes": ([2, 4], "float32"), "scores": ([2], "float32"), "class_id": ([2], "int32"), "masks": ([2, 28, 28], "float32"),
               "semantic": ([HEIGHT, WIDTH], "int32")}
    card = {
        "format": 1,
        "name": "tiny",
        "input": {"name": "image", "height": HEIGHT, "width": WIDTH, "layout": "NHWC", "dtype": "uint8", "color": "rgb", "range": [0, 255]},
        "outputs": [{"name": name, "shape": shape, "dtype": dtype, "meaning": name} for name, (shape, dtype) in outputs.items()],
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


def tiny_graph() -> bytes:
    """The ONNX graph of `model_folder`."""
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: np.ndarray) -> object:
        return numpy_helper.from_array(value, name)

    constants = [
        constant("boxes_", np.array([[24, 16, 72, 48], [0, 0, 0, 0]], np.float32)),
        constant("class_", np.array([2, 2], np.int32)),
        constant("masks_", np.ones((2, 28, 28), np.float32)),
        constant("weight", np.array([0.8 / 255, 0.0], np.float32)),
        constant("zero", np.array(0, np.int64)),
        constant("one", np.array(1, np.int64)),
        constant("half", np.array(127.5, np.float32)),
        constant("road", np.array(1, np.int32)),
        constant("sky", np.array(3, np.int32)),
        constant("first", np.array([0], np.int64)),
    ]
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        node("Gather", ["pixels", "zero"], ["red"], axis=3),
        node("Gather", ["pixels", "one"], ["green_"], axis=3),
        node("Squeeze", ["green_", "first"], ["green"]),
        node("ReduceMax", ["red"], ["brightest"], keepdims=0),
        node("Mul", ["brightest", "weight"], ["scores"]),
        node("Greater", ["green", "half"], ["is_road"]),
        node("Where", ["is_road", "road", "sky"], ["semantic"]),
        node("Identity", ["boxes_"], ["boxes"]),
        node("Identity", ["class_"], ["class_id"]),
        node("Identity", ["masks_"], ["masks"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "tiny", [value("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [value("boxes", TensorProto.FLOAT, [2, 4]), value("scores", TensorProto.FLOAT, [2]), value("class_id", TensorProto.INT32, [2]),
         value("masks", TensorProto.FLOAT, [2, 28, 28]), value("semantic", TensorProto.INT32, [HEIGHT, WIDTH])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()
