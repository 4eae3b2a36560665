"""ONNX Runtime with one of its providers."""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np

from cups_ros.engines.cache import cache_folder
from cups_ros.engines.engine import EngineError, EngineMissing, Graph, Signature

logger = logging.getLogger(__name__)
PROVIDERS = {  # engine -> its providers, the first installed one is taken
    "onnxruntime-tensorrt": ("TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"),
    "onnxruntime-cuda": ("CUDAExecutionProvider",),
    "onnxruntime-cpu": ("CPUExecutionProvider",),
}
TYPES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
ONLY_ERRORS = 3  # severity from which ONNX Runtime writes to standard error


class OnnxRuntime:
    """A session on one provider; operators that a GPU provider lacks run on the CPU."""

    def __init__(self, name: str, graph: Graph) -> None:
        """Raises EngineMissing, EngineError."""
        onnxruntime = _import()
        if name not in PROVIDERS:
            raise EngineError(f"expected an engine among {', '.join(PROVIDERS)}, found {name!r}")
        installed = onnxruntime.get_available_providers()
        provider = next((p for p in PROVIDERS[name] if p in installed), None)
        if provider is None:
            raise EngineMissing(
                f"expected an onnxruntime with {' or '.join(PROVIDERS[name])}, found one with {', '.join(installed)}; "
                "install onnxruntime-gpu"
            )
        self._input = graph.input
        self._session = _open(onnxruntime, provider, graph)

    @property
    def signature(self) -> Signature:
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        return {value.name: (tuple(value.shape), TYPES.get(value.type, value.type)) for value in values}

    def run(self, image: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        """(1, H, W, 3) uint8 -> the named outputs, in their order."""
        try:
            return self._session.run(list(outputs), {self._input: image})
        except (
            Exception
        ) as error:  # onnxruntime raises its own C++ exception classes, which share no base but Exception
            raise EngineError(f"ONNX Runtime failed: {_first_line(error)}") from error

    def close(self) -> None:
        self._session = None


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineMissing(
            f"expected the package onnxruntime, found none ({error}); install onnxruntime or onnxruntime-gpu"
        ) from error
    return onnxruntime


def _open(onnxruntime: Any, provider: str, graph: Graph) -> Any:
    options = onnxruntime.SessionOptions()
    # 0 would pin threads to all cores of the machine, also to those that this process was not given
    options.intra_op_num_threads = graph.threads or len(os.sched_getaffinity(0))
    options.log_severity_level = ONLY_ERRORS
    # numbers below 1e-38 cost a CPU a hundred times as much
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        session = onnxruntime.InferenceSession(
            str(graph.path), options, providers=[(provider, _provider_options(provider))]
        )
    except Exception as error:  # as in `run`
        raise EngineError(f"ONNX Runtime refuses the graph {graph.path} ({_first_line(error)})") from error
    if session.get_providers()[0] != provider:
        raise EngineError(
            f"expected ONNX Runtime to open {provider}, found that it fell back to {session.get_providers()[0]}; "
            "its message above says which library or device is missing"
        )
    return session


def _provider_options(provider: str) -> dict[str, str]:
    if provider != "TensorrtExecutionProvider":
        return {}
    try:
        folder = str(cache_folder())
    except EngineError as error:  # it is built anew at every start
        logger.warning("the engine is not kept: %s", error)
        return {}
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": folder,
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
