import json
from pathlib import Path

import onnx
import pytest

import cups_train
from cups_train.errors import ModelError
from cups_train.export.graph import check_static


def test_the_graph_is_static_and_carries_the_card(exported):
    model = onnx.load(exported[1] / "model" / "model.onnx")
    onnx.checker.check_model(model)
    check_static(model)
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"NonZero", "If", "Loop", "NonMaxSuppression"} and model.opset_import[0].version == 18
    facts = {p.key: p.value for p in model.metadata_props}
    assert json.loads(facts["thresholds"])["score"] == 0.3 and json.loads(facts["classes"])[1]["isthing"] == 1


def test_dynamic_graphs_are_refused():
    from onnx import TensorProto, helper

    free = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("NonZero", ["x"], ["y"])
    with pytest.raises(ModelError, match="NonZero"):
        check_static(helper.make_model(helper.make_graph([node], "g", [free], [])))


def test_the_graph_names_no_folder_of_the_machine_that_wrote_it(exported):
    written = (exported[1] / "model" / "model.onnx").read_bytes()
    assert str(Path(cups_train.__file__).parents[1]).encode() not in written and b"stack_trace" not in written
