"""Classic TensorRT (Jetson, servers) and TensorRT-RTX (GeForce and RTX cards): a plan is built once, then loaded from
the cache."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.engines.cache import cached_plan, write_plan
from cups_ros.engines.cuda import Cuda
from cups_ros.engines.engine import EngineError, Graph, Signature
from cups_ros.engines.plan import ANY_DEVICE, build_plan, import_tensorrt

logger = logging.getLogger(__name__)


class TensorRT:
    """A plan with its buffers: one pair of page-locked and device memory for each input and output."""

    def __init__(self, name: str, graph: Graph) -> None:
        """Raises EngineMissing, EngineError. The first time, the plan is built: seconds to minutes, logged."""
        self._trt = import_tensorrt(name)
        self._input = graph.input
        self._cuda = Cuda()
        try:
            self._runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR))
            self._engine = load_plan(self._trt, self._runtime, graph, self._cuda.device())
            self._context = self._engine.create_execution_context()
            if self._context is None:
                raise EngineError(
                    f"expected {name} to open its engine on {self._cuda.device()}, found that it does "
                    "not; is there memory left"
                )
            self._bind()
        except Exception:
            self._cuda.close()
            raise

    @property
    def signature(self) -> Signature:
        return {name: (array.shape, array.dtype.name) for name, array in self._host.items()}

    def run(self, image: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        """(1, H, W, 3) uint8 -> the named outputs, in their order."""
        np.copyto(self._host[self._input], image)
        self._cuda.upload(self._device[self._input], self._host[self._input])
        if not self._context.execute_async_v3(self._cuda.stream):
            raise EngineError("expected TensorRT to run its engine, found that it failed; its messages above say why")
        for name in outputs:
            self._cuda.download(self._host[name], self._device[name])
        self._cuda.wait()
        return [self._host[name].copy() for name in outputs]

    def close(self) -> None:
        self._context = self._engine = self._runtime = None
        self._cuda.close()

    def _bind(self) -> None:
        self._host: dict[str, np.ndarray] = {}
        self._device: dict[str, int] = {}
        for number in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(number)
            shape, dtype = (
                tuple(self._engine.get_tensor_shape(name)),
                np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name))),
            )
            self._host[name] = self._cuda.on_host(shape, dtype)
            self._device[name] = self._cuda.on_device(math.prod(shape) * dtype.itemsize)
            self._context.set_tensor_address(name, self._device[name])


def plan_facts(trt: Any, graph: Graph, device: str) -> dict[str, str]:
    """What a plan belongs to; it is built again where any of these differs."""
    return {
        "package": trt.__name__,
        "version": trt.__version__,
        "device": device,
        "precision": graph.precision,
        "graph": graph.sha256,
    }


def load_plan(trt: Any, runtime: Any, graph: Graph, device: str) -> Any:
    """The engine from model.plan, from the cache, or built now and put there. A plan that does not open is built again.
    Raises EngineError."""
    facts = plan_facts(trt, graph, device)
    for path, stored in _stored_plans(graph, facts):
        engine = runtime.deserialize_cuda_engine(stored)
        if engine is not None:
            return engine
        logger.warning(
            "expected a plan of %s %s in %s, found one that it refuses; it is built again",
            facts["package"],
            facts["version"],
            path,
        )
    plan = build_plan(trt, graph.path)
    try:
        write_plan(cached_plan(facts), plan)
    except EngineError as error:  # it runs all the same, and is built anew at the next start
        logger.warning("the engine is not kept: %s", error)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(
            f"expected {facts['package']} {facts['version']} to load the engine that it built, found that it refuses it"
        )
    return engine


def _stored_plans(graph: Graph, facts: dict[str, str]) -> Iterator[tuple[Path, bytes]]:
    """model.plan where the card says that it fits, then the one of the cache; those that can be read."""
    if fits(graph.plan, facts):
        yield from _read_plan(graph.path.with_name("model.plan"))
    try:
        cached = cached_plan(facts)
    except EngineError as error:
        logger.warning("no built engine is looked for: %s", error)
        return
    yield from _read_plan(cached)


def _read_plan(path: Path) -> Iterator[tuple[Path, bytes]]:
    try:
        yield path, path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("expected a built engine in %s, found that it cannot be read (%s)", path, error)


def fits(built: dict[str, Any] | None, facts: dict[str, str]) -> bool:
    """Was a plan with the card's description `built` made for these facts? One made ahead of time is for any device."""
    if built is None:
        return False
    return all(built.get(key) == value for key, value in facts.items() if key != "device") and built.get("device") in (
        facts["device"],
        ANY_DEVICE,
    )
