import importlib
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from cups_ros.engines import Graph, plan
from cups_ros.model import load_model
from cups_ros.types import Classes, PseudoClass, RawOutput
from cups_train.config import ExportConfig
from cups_train.errors import CupsError, ModelError
from cups_train.export import run
from cups_train.export import tensorrt as engine
from cups_train.export.graph import check_static
from cups_train.export.parity import compare, difference, probe_images
from cups_train.network import NetworkSpec, build_network, save_checkpoint


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small random network, exported once: (network, folder of the checkpoint)."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    classes = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 6)))
    spec = NetworkSpec(classes, 64, 96, "resnet18", "group", 16, 16, 1, 16, 16, 8, (("start.pth", "CC0"),))
    network = build_network(spec, seed=1).eval()
    save_checkpoint(network, folder / "checkpoint.safetensors", step=5)
    run(folder / "checkpoint.safetensors", folder / "model", ExportConfig(score=0.3), "demo")
    return network, folder


def test_the_card_says_what_others_read(exported):
    card = json.loads((exported[1] / "model" / "model.json").read_text())
    assert (card["format"], card["name"], card["precision"], card["opset"]) == (1, "demo", "fp32", 18)
    assert card["input"] | {"fit": ""} == {"name": "image", "height": 64, "width": 96, "layout": "NHWC", "dtype": "uint8", "color": "rgb",
                                           "range": [0, 255], "fit": ""}
    assert [(o["name"], o["shape"], o["dtype"]) for o in card["outputs"]] == [
        ("boxes", [8, 4], "float32"), ("scores", [8], "float32"), ("class_id", [8], "int32"), ("masks", [8, 28, 28], "float32"),
        ("semantic", [64, 96], "int32")]
    assert card["classes"][1] == {"id": 2, "name": "c2", "isthing": 1, "color": [2, 2, 2]}
    assert card["thresholds"] == {"score": 0.3, "overlap": 0.5, "mask": 0.5, "stuff_area": 4096 / (1024 * 2048)}
    assert card["weights"] == [{"source": "start.pth", "licence": "CC0"}] and card["training"] == {"step": 5}
    assert card["parity"]["inputs"] == 4 and card["parity"]["unmatched"] == 0 and card["parity"]["instances"] > 0


def test_the_graph_is_static_and_carries_the_card(exported):
    model = onnx.load(exported[1] / "model" / "model.onnx")
    onnx.checker.check_model(model)
    check_static(model)
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"NonZero", "If", "Loop", "NonMaxSuppression"} and model.opset_import[0].version == 18
    facts = {p.key: p.value for p in model.metadata_props}
    assert json.loads(facts["thresholds"])["score"] == 0.3 and json.loads(facts["classes"])[1]["isthing"] == 1


def test_onnx_runtime_answers_as_torch(exported):
    network, folder = exported
    images = [*probe_images(64, 96, 2, seed=3), np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)]
    parity = compare(network, folder / "model", images)
    parity.require()
    assert parity.instances > 0 and parity.box < 0.01 and parity.score < 1e-4


def test_the_model_folder_runs_without_the_workshop(exported):
    model = load_model(exported[1] / "model")
    panoptic = model.infer(np.zeros((50, 120, 3), np.uint8))
    assert panoptic.class_id.shape == (50, 120) and set(np.unique(panoptic.class_id)) <= {0, 1, 2, 3, 4, 5}


def test_another_network_fails_the_parity_check(exported):
    network, folder = exported
    other = build_network(replace(network.spec), seed=2)
    with pytest.raises(ModelError, match="same answers"):
        compare(other.eval(), folder / "model", probe_images(64, 96, 1)).require()


def test_what_is_no_model_folder_is_not_replaced(exported, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CupsError, match="found notes.txt there"):
        run(exported[1] / "checkpoint.safetensors", tmp_path, ExportConfig(), "demo")


def test_a_failed_export_leaves_the_old_folder(exported, tmp_path, monkeypatch):
    shutil.copytree(exported[1] / "model", tmp_path / "model")

    def refuse(*_):
        raise ModelError("no")

    monkeypatch.setattr(importlib.import_module("cups_train.export.run"), "write_graph", refuse)
    with pytest.raises(ModelError):
        run(exported[1] / "checkpoint.safetensors", tmp_path / "model", ExportConfig(), "demo")
    assert load_model(tmp_path / "model").name == "demo" and [p.name for p in tmp_path.iterdir()] == ["model"]


def raw(*rows):
    boxes, scores, kinds = zip(*rows, strict=True)
    return RawOutput(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(kinds), np.zeros((len(rows), 28, 28), np.float32),
                     np.zeros((4, 4), np.int32))


def test_differences_pair_rows_whatever_their_order():
    first = raw(([0, 0, 9, 9], 0.8, 1), ([20, 0, 29, 9], 0.8, 1), ([0, 0, 9, 9], 0.7, 2), ([0, 0, 0, 0], 0, 0))
    second = raw(([20, 0, 29, 9.01], 0.8, 1), ([0, 0, 9, 9], 0.8, 1), ([0, 0, 0, 0], 0, 0), ([0, 0, 0, 0], 0, 0))
    found = difference(first, second)
    assert (found.instances, found.unmatched) == (3, 1) and found.box == pytest.approx(0.01, abs=1e-5) and found.score == 0


def test_dynamic_graphs_are_refused():
    from onnx import TensorProto, helper
    free = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("NonZero", ["x"], ["y"])
    with pytest.raises(ModelError, match="NonZero"):
        check_static(helper.make_model(helper.make_graph([node], "g", [free], [])))


def test_tensorrt_that_is_not_there_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "PACKAGES", dict.fromkeys(plan.PACKAGES, "no_such_package"))
    with pytest.raises(ModelError, match=r"cups\[tensorrt\]"):
        engine.build_engine(Graph(tmp_path / "model.onnx", "", "fp32", "image"), tmp_path / "model.plan")


def test_tensorrt_rtx_builds_the_graph_without_a_gpu(exported, tmp_path):
    pytest.importorskip("tensorrt_rtx", reason="the extra cups[tensorrt] is not installed")
    facts = engine.build_engine(Graph(exported[1] / "model" / "model.onnx", "abc", "fp32", "image"), tmp_path / "model.plan")
    assert (tmp_path / "model.plan").stat().st_size > 10_000
    assert facts["package"] == "tensorrt_rtx" and facts["precision"] == "fp32" and facts["graph"] == "abc"
