"""A TensorRT engine ahead of time, where TensorRT is installed."""
from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from cups_train.errors import ModelError

PACKAGES = ("tensorrt_rtx", "tensorrt")


def build_engine(graph: Path, plan: Path) -> dict[str, Any]:
    """model.onnx -> model.plan; gives what it was built with, for the card. Raises ModelError."""
    package, trt = _import()
    log = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph.read_bytes()):
        raise ModelError(f"expected a graph that {package} {trt.__version__} reads, found one that it refuses: {parser.get_error(0)}")
    serialized = builder.build_serialized_network(network, builder.create_builder_config())
    if serialized is None:
        raise ModelError(f"expected {package} {trt.__version__} to build an engine, found that it gave none; export with `--format onnx`")
    plan.write_bytes(bytes(serialized))
    return {"package": package, "version": trt.__version__, "device": _device()}


def _import() -> tuple[str, Any]:
    for package in PACKAGES:
        try:
            return package, importlib.import_module(package)
        except ImportError:
            continue
    raise ModelError("expected TensorRT for `--format tensorrt`, found none of tensorrt_rtx, tensorrt; install the extra cups[tensorrt]")


def _device() -> str:
    """Name of the GPU, "ahead of time" where the engine was built without one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "ahead of time"
