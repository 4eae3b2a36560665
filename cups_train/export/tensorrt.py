"""A TensorRT engine ahead of time, where TensorRT is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cups_ros.engines import EngineError, EngineMissing, Graph
from cups_ros.engines.cuda import Cuda
from cups_ros.engines.plan import ANY_DEVICE, build_plan, import_tensorrt
from cups_ros.engines.tensorrt import plan_facts
from cups_train.errors import ModelError

PREFERRED = ("tensorrt-rtx", "tensorrt")


def build_engine(graph: Graph, plan: Path) -> dict[str, Any]:
    """model.onnx -> model.plan; gives what it was built for, for the card. Raises ModelError."""
    try:
        name, trt = _import()
        device = _device()
        if device == ANY_DEVICE and name != "tensorrt-rtx":
            raise EngineError(
                "expected a GPU for classic TensorRT, found none; export with `--format onnx`: the vehicle builds "
                "its engine by itself"
            )
        plan.write_bytes(build_plan(trt, graph.path))
    except EngineError as error:
        raise ModelError(str(error)) from error
    return plan_facts(trt, graph, device)


def _import() -> tuple[str, Any]:
    reasons = []
    for name in PREFERRED:
        try:
            return name, import_tensorrt(name)
        except EngineMissing as error:
            reasons.append(str(error))
    raise ModelError(
        'expected TensorRT for `--format tensorrt`, found none; `pip install ".[tensorrt]"` in a checkout installs it '
        f"({reasons[0]})"
    )


def _device() -> str:
    """The GPU, or ANY_DEVICE where there is none."""
    try:
        cuda = Cuda()
    except EngineError:
        return ANY_DEVICE
    try:
        return cuda.device()
    finally:
        cuda.close()
