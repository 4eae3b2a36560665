import pytest

from cups_ros.engines import Graph, plan
from cups_train.errors import ModelError
from cups_train.export import tensorrt as engine


def test_tensorrt_that_is_not_there_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "PACKAGES", dict.fromkeys(plan.PACKAGES, "no_such_package"))
    with pytest.raises(ModelError, match=r"pip install .\.\[tensorrt\]"):
        engine.build_engine(Graph(tmp_path / "model.onnx", "", "fp32", "image"), tmp_path / "model.plan")


def test_tensorrt_rtx_builds_the_graph_without_a_gpu(exported, tmp_path):
    pytest.importorskip("tensorrt_rtx", reason="the extra `tensorrt` is not installed")
    facts = engine.build_engine(
        Graph(exported[1] / "model" / "model.onnx", "abc", "fp32", "image"), tmp_path / "model.plan"
    )
    assert (tmp_path / "model.plan").stat().st_size > 10_000
    assert facts["package"] == "tensorrt_rtx" and facts["precision"] == "fp32" and facts["graph"] == "abc"
