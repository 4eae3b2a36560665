"""Names of the back ends and how each is opened."""

from __future__ import annotations

from cups_ros.engines.engine import Engine, EngineError, Graph

# the order in which they are tried
ENGINES = ("tensorrt", "tensorrt-rtx", "onnxruntime-tensorrt", "onnxruntime-cuda", "onnxruntime-cpu")


def open_engine(name: str, graph: Graph) -> Engine:
    """Open a graph with the back end of this name. Raises EngineMissing where it is not installed, EngineError where it
    cannot run the graph here."""
    if name.startswith("onnxruntime-"):
        from cups_ros.engines.onnx_runtime import OnnxRuntime

        return OnnxRuntime(name, graph)
    if name in ENGINES:
        from cups_ros.engines.tensorrt import TensorRT

        return TensorRT(name, graph)
    raise EngineError(f"expected an engine among {', '.join(ENGINES)}, found {name!r}")
