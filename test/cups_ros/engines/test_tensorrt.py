"""TensorRT as far as a machine without a GPU goes: the cache with a stand-in that counts its builds, and the real
TensorRT-RTX where installed."""

import ctypes
import logging
import types

import numpy as np
import pytest

from cups_ros.engines import EngineError, EngineMissing, Graph, open_engine
from cups_ros.engines.cache import cached_plan
from cups_ros.engines.plan import ANY_DEVICE, build_plan, import_tensorrt
from cups_ros.engines.tensorrt import fits, load_plan, plan_facts

DEVICE = "NVIDIA Test, 8.6"


class Builds:
    """A TensorRT that builds a plan of its version and refuses other versions' plans."""

    def __init__(self, monkeypatch, version="10.3"):
        self.count, self.__name__, self.__version__ = 0, "tensorrt", version
        monkeypatch.setattr("cups_ros.engines.tensorrt.build_plan", self._build)

    def _build(self, trt, path):
        self.count += 1
        return b"plan of " + trt.__version__.encode()

    def deserialize_cuda_engine(self, plan):
        return plan if plan == b"plan of " + self.__version__.encode() else None


@pytest.fixture
def graph(tmp_path, monkeypatch):
    monkeypatch.setenv("CUPS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model.onnx").write_bytes(b"graph")
    return Graph(tmp_path / "model.onnx", "abc", "fp32", "image")


def test_a_plan_is_built_once_and_again_where_anything_differs(graph, monkeypatch):
    trt = Builds(monkeypatch)
    for _ in range(2):
        assert load_plan(trt, trt, graph, DEVICE) == b"plan of 10.3"
    assert trt.count == 1
    load_plan(trt, trt, graph, "NVIDIA Other, 8.9")
    load_plan(trt, trt, Graph(graph.path, "abd", "fp32", "image"), DEVICE)
    load_plan(trt, trt, Graph(graph.path, "abc", "fp16", "image"), DEVICE)
    assert trt.count == 4
    newer = Builds(monkeypatch, "10.4")
    assert load_plan(newer, newer, graph, DEVICE) == b"plan of 10.4" and newer.count == 1


def test_a_damaged_plan_is_built_again_with_a_warning(graph, monkeypatch, caplog):
    trt = Builds(monkeypatch)
    load_plan(trt, trt, graph, DEVICE)
    cached_plan(plan_facts(trt, graph, DEVICE)).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert load_plan(trt, trt, graph, DEVICE) == b"plan of 10.3"
    assert trt.count == 2 and "built again" in caplog.text


def test_the_plan_of_the_model_folder_is_used_where_the_card_says_that_it_fits(graph, monkeypatch):
    trt = Builds(monkeypatch)
    graph.path.with_name("model.plan").write_bytes(b"plan of 10.3")
    built = {**plan_facts(trt, graph, DEVICE), "device": ANY_DEVICE}
    load_plan(trt, trt, Graph(graph.path, "abc", "fp32", "image", built), DEVICE)
    assert trt.count == 0
    load_plan(trt, trt, Graph(graph.path, "abc", "fp32", "image", {**built, "device": "NVIDIA Other, 8.9"}), DEVICE)
    assert trt.count == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("package", "tensorrt_rtx"), ("version", "10.4"), ("device", "x"), ("precision", "fp16"), ("graph", "")],
)
def test_a_plan_fits_only_what_it_was_built_for(graph, monkeypatch, key, value):
    facts = plan_facts(Builds(monkeypatch), graph, DEVICE)
    assert fits(facts, facts) and not fits({**facts, key: value}, facts) and not fits(None, facts)


def test_a_package_that_is_missing_or_too_old_is_a_sentence(monkeypatch):
    monkeypatch.setattr("cups_ros.engines.plan.PACKAGES", {"tensorrt": "no_such_package"})
    with pytest.raises(EngineMissing, match="JetPack"):
        import_tensorrt("tensorrt")
    monkeypatch.setattr("importlib.import_module", lambda name: types.SimpleNamespace(__version__="8.5"))
    with pytest.raises(EngineError, match="10 or newer, found 8.5"):
        import_tensorrt("tensorrt")


def test_the_cache_that_cannot_be_made_is_named(graph, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CUPS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineError, match="set CUPS_CACHE"):
        cached_plan({})


def test_a_cache_that_cannot_be_made_costs_a_warning_and_no_engine(graph, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CUPS_CACHE", str(tmp_path / "file" / "cache"))
    trt = Builds(monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert load_plan(trt, trt, graph, DEVICE) == b"plan of 10.3"
    assert trt.count == 1 and "not kept" in caplog.text and "set CUPS_CACHE" in caplog.text
    graph.path.with_name("model.plan").write_bytes(b"plan of 10.3")  # the model's own is opened before any cache
    with_plan = Graph(graph.path, "abc", "fp32", "image", plan_facts(trt, graph, DEVICE))
    assert load_plan(trt, trt, with_plan, DEVICE) == b"plan of 10.3" and trt.count == 1


def test_a_full_disk_or_an_unreadable_plan_costs_a_warning_and_no_engine(graph, monkeypatch, tmp_path, caplog):
    trt = Builds(monkeypatch)
    cached_plan(plan_facts(trt, graph, DEVICE)).mkdir()  # neither readable nor replaceable, also for root
    with caplog.at_level(logging.WARNING):
        assert load_plan(trt, trt, graph, DEVICE) == b"plan of 10.3"
    assert "cannot be read" in caplog.text and "not kept" in caplog.text
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []


def test_tensorrt_rtx_builds_without_a_gpu_and_refuses_nonsense(model_folder, tmp_path):
    trt = pytest.importorskip("tensorrt_rtx", reason="the extra `tensorrt` is not installed")
    plan = build_plan(trt, model_folder / "model.onnx")
    assert len(plan) > 1000
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(EngineError, match="refuses"):
        build_plan(trt, tmp_path / "model.onnx")


def test_tensorrt_rtx_without_a_gpu_says_so(model_folder):
    pytest.importorskip("tensorrt_rtx", reason="the extra `tensorrt` is not installed")
    with pytest.raises(EngineError, match="CUDA runtime|GPU"):
        open_engine("tensorrt-rtx", Graph(model_folder / "model.onnx", "abc", "fp32", "image"))


class HostMemory:
    """Stands for the CUDA runtime where there is no GPU: "device" memory is the host's."""

    def __init__(self):
        self.kept, self.closed, self.stream = [], False, 7

    def device(self):
        return DEVICE

    def on_device(self, size):
        self.kept.append(np.zeros(size, np.uint8))
        return self.kept[-1].ctypes.data

    def on_host(self, shape, dtype):
        return np.zeros(shape, dtype)

    def upload(self, address, array):
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array, address):
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def wait(self):
        pass

    def close(self):
        self.closed = True


class Doubling:
    """A TensorRT engine and its context: `double` = 2 * `image`, `sum` = its sum."""

    shapes = {"image": (1, 2, 3, 3), "double": (1, 2, 3, 3), "sum": (1,)}
    num_io_tensors = 3

    def __init__(self):
        self.addresses, self.works = {}, True

    def create_execution_context(self):
        return self

    def get_tensor_name(self, number):
        return list(self.shapes)[number]

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def get_tensor_dtype(self, name):
        return "uint8" if name == "image" else "float32"

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        assert stream == 7
        image = np.ctypeslib.as_array(ctypes.cast(self.addresses["image"], ctypes.POINTER(ctypes.c_uint8)), (18,))
        np.ctypeslib.as_array(ctypes.cast(self.addresses["double"], ctypes.POINTER(ctypes.c_float)), (18,))[:] = (
            2.0 * image
        )
        np.ctypeslib.as_array(ctypes.cast(self.addresses["sum"], ctypes.POINTER(ctypes.c_float)), (1,))[:] = image.sum()
        return self.works


def test_images_go_to_the_device_and_answers_come_back(graph, monkeypatch):
    memory, doubling = HostMemory(), Doubling()
    logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    trt = types.SimpleNamespace(Runtime=lambda log: None, Logger=logger, nptype=np.dtype)
    monkeypatch.setattr("cups_ros.engines.tensorrt.import_tensorrt", lambda name: trt)
    monkeypatch.setattr("cups_ros.engines.tensorrt.Cuda", lambda: memory)
    monkeypatch.setattr("cups_ros.engines.tensorrt.load_plan", lambda *arguments: doubling)
    engine = open_engine("tensorrt", graph)
    assert engine.signature == {
        "image": ((1, 2, 3, 3), "uint8"),
        "double": ((1, 2, 3, 3), "float32"),
        "sum": ((1,), "float32"),
    }
    image = np.arange(18, dtype=np.uint8).reshape(1, 2, 3, 3)
    total, double = engine.run(image, ("sum", "double"))
    assert total.tolist() == [153] and (double == 2.0 * image).all()
    (again,) = engine.run(image + 1, ("double",))
    # an answer is not overwritten by the next
    assert (again == 2.0 * image + 2).all() and (double == 2.0 * image).all()
    doubling.works = False
    with pytest.raises(EngineError, match="failed"):
        engine.run(image, ("sum",))
    engine.close()
    assert memory.closed
