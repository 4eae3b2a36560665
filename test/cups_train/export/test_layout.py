"""Scores compared with the channels innermost: the same answers from another graph."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cups_train.export.layout import put_channels_last


def scores_graph(second_reader=False):
    """Class scores (1, 5, 4, 6), enlarged four times, and the best class of every pixel."""
    nodes = [
        helper.make_node("Resize", ["scores", "", "scales"], ["large"], name="enlarge", mode="linear"),
        helper.make_node("ArgMax", ["large"], ["best"], name="compare", axis=1, keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info("best", TensorProto.INT64, [1, 16, 24])]
    if second_reader:
        nodes.append(helper.make_node("Identity", ["large"], ["copy"]))
        outputs.append(helper.make_tensor_value_info("copy", TensorProto.FLOAT, [1, 5, 16, 24]))
    graph = helper.make_graph(
        nodes,
        "scores",
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5, 4, 6])],
        outputs,
        [numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales")],
        value_info=[helper.make_tensor_value_info("large", TensorProto.FLOAT, [1, 5, 16, 24])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(model):
    import onnxruntime

    scores = np.random.default_rng(0).normal(size=(1, 5, 4, 6)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        ["best"], {"scores": scores}
    )[0]


def test_the_answers_are_equal_and_the_channels_innermost():
    model = scores_graph()
    before = answer(model)
    assert put_channels_last(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Transpose", "Resize", "ArgMax"]
    assert [tensor.name for tensor in model.graph.initializer] == ["enlarge_channels_last_scales"]
    assert (answer(model) == before).all() and len(np.unique(before)) == 5


def test_scores_that_something_else_reads_stay():
    model = scores_graph(second_reader=True)
    assert put_channels_last(model) == 0 and [node.op_type for node in model.graph.node] == [
        "Resize",
        "ArgMax",
        "Identity",
    ]
