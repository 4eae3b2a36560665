"""What becomes float16, and what does not."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn

from cups_ros.types import Classes, PseudoClass, Thresholds
from cups_train.export.graph import write_graph
from cups_train.export.parity import probe_images
from cups_train.export.precision import in_half
from cups_train.network import NetworkSpec, build_network

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 6)))


@pytest.fixture(scope="module")
def network():
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
    assert {types[node.output[0]] for node in model.graph.node if node.op_type in ("Softmax", "Sigmoid")} == {
        TensorProto.FLOAT
    }
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    image = probe_images(64, 96, 1)[0]
    answer = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": image[None]}), strict=True))
    assert (
        answer["panoptic"].shape == (64, 96)
        and answer["panoptic"].dtype == np.int32
        and answer["segments"].shape == (8 + 3, 7)
    )
    raw = network.infer(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    assert (answer["semantic"] != raw.semantic[0].numpy()).mean() < 0.02
