"""Reduced precision: what becomes float16 or int8, and what does not."""
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cups_ros.types import Classes, PseudoClass, Thresholds
from cups_train.config import ExportConfig
from cups_train.errors import ModelError
from cups_train.export.graph import write_graph
from cups_train.export.int8 import Frames, calibration_images, kept_nodes, quantise
from cups_train.export.parity import LIMITS, Parity, probe_images
from cups_train.export.precision import in_half
from cups_train.network import NetworkSpec, build_network

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 6)))


@pytest.fixture(scope="module")
def network():
    torch.set_num_threads(1)
    return build_network(NetworkSpec(CLASSES, 64, 96, "resnet18-half", "batch", 16, 16, 1, 16, 16, 8), seed=1).eval()


def test_half_precision_is_in_the_layers_alone_and_the_original_stays(network):
    half = in_half(network)
    for module in half.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            assert module.weight.dtype == torch.float16
        elif isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
            assert module.weight.dtype == torch.float32
    assert network.backbone.body.conv1.weight.dtype == torch.float32


def test_half_precision_answers_in_single_and_almost_the_same(network):
    image = torch.from_numpy(probe_images(64, 96, 1)[0]).permute(2, 0, 1)[None].float() / 255
    one, other = network.infer(image), in_half(network).infer(image)
    assert [t.dtype for t in other] == [torch.float32, torch.float32, torch.int32, torch.float32, torch.int32]
    assert float((one.semantic != other.semantic).float().mean()) < 0.02
    assert float((one.scores.sort().values - other.scores.sort().values).abs().max()) < 0.01


def test_the_graph_in_half_with_its_merge_is_static_and_strongly_typed(network, tmp_path):
    import onnxruntime

    write_graph(in_half(network), tmp_path / "model.onnx", {}, Thresholds(score=0.1))
    model = onnx.load(tmp_path / "model.onnx")
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [weights[node.input[1]] for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(convolutions) > 20 and set(convolutions) == {TensorProto.FLOAT16}
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.output, *model.graph.value_info)}
    assert {types[node.output[0]] for node in model.graph.node if node.op_type in ("Softmax", "Sigmoid")} == {TensorProto.FLOAT}
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    image = probe_images(64, 96, 1)[0]
    answer = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": image[None]}), strict=True))
    assert answer["panoptic"].shape == (64, 96) and answer["panoptic"].dtype == np.int32 and answer["segments"].shape == (8 + 3, 7)
    raw = network.infer(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    assert (answer["semantic"] != raw.semantic[0].numpy()).mean() < 0.02


def small_graph(path):
    """Two convolutions, the first with the name of a layer that stays float32."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(0, 0.2, (8, channels, 3, 3)).astype(np.float32), name)
               for name, channels in (("body.conv1.weight", 3), ("body.layer1.0.conv1.weight", 8))]
    nodes = [helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT, name="cast"),
             helper.make_node("Transpose", ["real"], ["first"], perm=[0, 3, 1, 2], name="transpose"),
             helper.make_node("Conv", ["first", "body.conv1.weight"], ["second"], pads=[1, 1, 1, 1], name="stem"),
             helper.make_node("Conv", ["second", "body.layer1.0.conv1.weight"], ["answer"], pads=[1, 1, 1, 1], name="layer")]
    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 16, 24, 3])],
                              [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 8, 16, 24])], weights)
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
    answers = [onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"]).run(None, {"image": images[0][None]})[0]
               for name in ("single.onnx", "model.onnx")]
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


@pytest.mark.parametrize(("precision", "score"), [("fp32", 0.002), ("fp16", 0.06), ("int8", 0.6)])
def test_every_precision_has_its_limits(precision, score):
    sound = Parity(4, 50, 0, 0.0, 0.0, 0.0, 0.0)
    sound.require(LIMITS[precision])
    for changes in ({"score": score}, {"unmatched": 49}, {"panoptic": 0.5}, {"semantic": 0.5}, {"box": 100.0}):
        with pytest.raises(ModelError, match="same answers"):
            replace(sound, **changes).require(LIMITS[precision])
