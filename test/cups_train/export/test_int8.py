"""What becomes int8, and what does not."""

from collections import Counter

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cups_train.config import ExportConfig
from cups_train.errors import ModelError
from cups_train.export.int8 import Frames, calibration_images, kept_nodes, quantise


def small_graph(path):
    """Two convolutions, the first with the name of a layer that stays float32."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.2, (8, channels, 3, 3)).astype(np.float32), name)
        for name, channels in (("body.conv1.weight", 3), ("body.layer1.0.conv1.weight", 8))
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT, name="cast"),
        helper.make_node("Transpose", ["real"], ["first"], perm=[0, 3, 1, 2], name="transpose"),
        helper.make_node("Conv", ["first", "body.conv1.weight"], ["second"], pads=[1, 1, 1, 1], name="stem"),
        helper.make_node("Conv", ["second", "body.layer1.0.conv1.weight"], ["answer"], pads=[1, 1, 1, 1], name="layer"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 16, 24, 3])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 8, 16, 24])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.metadata_props.add(key="name", value="small")
    onnx.save(model, path)
    return model


def test_int8_leaves_the_named_layers_and_stays_close(tmp_path):
    import onnxruntime

    model = small_graph(tmp_path / "single.onnx")
    assert kept_nodes(model) == ["stem"]
    images = [np.random.default_rng(seed).integers(0, 256, (16, 24, 3), np.uint8) for seed in range(3)]
    quantise(tmp_path / "single.onnx", iter(images), tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx")
    kinds = Counter(tensor.data_type for tensor in written.graph.initializer if len(tensor.dims) == 4)
    assert kinds == {TensorProto.FLOAT: 1, TensorProto.INT8: 1}
    assert {p.key: p.value for p in written.metadata_props}["name"] == "small"
    answers = [
        onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"]).run(
            None, {"image": images[0][None]}
        )[0]
        for name in ("single.onnx", "model.onnx")
    ]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.03 * np.abs(answers[0]).max()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["model.onnx", "single.onnx"]


def test_calibration_streams_images_evenly_spread(tmp_path):
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((32, 48, 3), 10 * number, np.uint8))
    images = calibration_images(ExportConfig(precision="int8", calibration=tmp_path, calibration_frames=4), (32, 48))
    frames = Frames("image", images)
    found = [frames.get_next()["image"] for _ in range(4)]
    assert [int(frame[0, 0, 0, 0]) for frame in found] == [0, 30, 60, 90] and frames.get_next() is None
    with pytest.raises(ModelError, match=r"export\.calibration"):
        next(calibration_images(ExportConfig(precision="int8"), (32, 48)))
