"""model.onnx -> a TensorRT plan: classic TensorRT and TensorRT-RTX share this interface. No GPU is needed for
TensorRT-RTX."""

from __future__ import annotations

import importlib
import logging
import time
from pathlib import Path
from typing import Any

from cups_ros.engines.engine import EngineError, EngineMissing

logger = logging.getLogger(__name__)
PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}  # engine -> Python package
INSTALL = {
    "tensorrt": "it comes with JetPack or from the vendor's package index",
    "tensorrt-rtx": '`pip install ".[tensorrt]"` in a checkout installs it',
}
# device of a plan that TensorRT-RTX built without a GPU: its kernels are made where it runs
ANY_DEVICE = "ahead of time"
LOG_EVERY_S = 5.0


def import_tensorrt(name: str) -> Any:
    """The Python package of this engine. Raises EngineMissing, EngineError."""
    try:
        trt = importlib.import_module(PACKAGES[name])
    except (ImportError, OSError) as error:
        raise EngineMissing(
            f"expected the package {PACKAGES[name]} for the engine {name}, found none ({error}); {INSTALL[name]}"
        ) from error
    if not hasattr(trt, "NetworkDefinitionCreationFlag") or not hasattr(
        trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"
    ):
        raise EngineError(
            f"expected {PACKAGES[name]} 10 or newer, found "
            f"{getattr(trt, '__version__', 'another package of that name')}"
        )
    return trt


def build_plan(trt: Any, graph: Path) -> bytes:
    """Build a strongly typed engine: its precision is the graph's. Takes seconds to minutes; logs how far it is. Raises
    EngineError."""
    name = f"{trt.__name__} {trt.__version__}"
    log = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(log)
    if builder is None:
        raise EngineError(f"expected {name} to start, found that it does not; it needs a driver that fits")
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph.read_bytes()):
        raise EngineError(
            f"expected a graph that {name} reads, found one that it refuses: {str(parser.get_error(0)).splitlines()[0]}"
        )
    config = builder.create_builder_config()
    if hasattr(trt, "IProgressMonitor"):
        config.progress_monitor = _monitor(trt, name)
    start = time.monotonic()
    logger.info(
        "%s builds an engine for %s; this can take minutes and is done once for each model and GPU", name, graph
    )
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        raise EngineError(
            f"expected {name} to build an engine for {graph}, found that it gave none; its messages above say why"
        )
    logger.info("%s built the engine in %.0f s", name, time.monotonic() - start)
    return bytes(serialized)


def _monitor(trt: Any, name: str) -> Any:
    """A progress monitor that logs the share of the outermost phases, every few seconds."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}
            self.last = time.monotonic()

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self.steps[phase] = max(1, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            if phase in self.steps and time.monotonic() - self.last > LOG_EVERY_S:
                self.last = time.monotonic()
                logger.info("%s: %s, %d %%", name, phase, 100 * (step + 1) // self.steps[phase])
            return True

        def phase_finish(self, phase: str) -> None:
            self.steps.pop(phase, None)

    return Monitor()
