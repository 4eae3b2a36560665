"""The few calls of the CUDA runtime that an engine needs, by NVIDIA's own package cuda-bindings."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

import numpy as np

from cups_ros.engines.engine import EngineError, EngineMissing


class Cuda:
    """Device 0, with a stream of its own. Raises EngineMissing without the package, EngineError where a call fails."""

    def __init__(self) -> None:
        self._runtime = import_runtime()
        if self._call("cudaGetDeviceCount") == 0:
            raise EngineError("expected an NVIDIA GPU, found none")
        self._allocated: list[tuple[str, int]] = []
        self._stream = self._call("cudaStreamCreate")

    @property
    def stream(self) -> int:
        return int(self._stream)

    def device(self) -> str:
        """Name and compute capability, e.g. "NVIDIA RTX A4000, 8.6"."""
        properties = self._call("cudaGetDeviceProperties", 0)
        name = properties.name.split(bytes(1))[0].decode(errors="replace")
        return f"{name}, {properties.major}.{properties.minor}"

    def on_device(self, size: int) -> int:
        """Address of `size` bytes on the device."""
        return self._allocate("cudaMalloc", "cudaFree", size)

    def on_host(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """An array in page-locked memory; any shape will do."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        address = self._allocate("cudaMallocHost", "cudaFreeHost", size)
        return np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), dtype).reshape(shape)

    def upload(self, address: int, array: np.ndarray) -> None:
        """Queue a copy of an array of any shape to the device."""
        self._copy(address, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice")

    def download(self, array: np.ndarray, address: int) -> None:
        """Queue a copy from the device into an array of any shape."""
        self._copy(array.ctypes.data, address, array.nbytes, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Until everything that was queued is done."""
        self._call("cudaStreamSynchronize", self._stream)

    def close(self) -> None:
        """Free everything. A device that is gone frees it by itself, so that failures do not matter here."""
        for release, address in self._allocated:
            getattr(self._runtime, release)(address)
        self._allocated.clear()
        self._runtime.cudaStreamDestroy(self._stream)

    def _allocate(self, name: str, release: str, size: int) -> int:
        address = int(self._call(name, size))
        self._allocated.append((release, address))
        return address

    def _copy(self, to: int, start: int, size: int, way: str) -> None:
        self._call("cudaMemcpyAsync", to, start, size, getattr(self._runtime.cudaMemcpyKind, way), self._stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        """What a function of the runtime gives besides its status."""
        status, *given = getattr(self._runtime, name)(*arguments)
        if int(status):
            _, reason = self._runtime.cudaGetErrorString(status)
            raise EngineError(
                f"expected {name} of the CUDA runtime to work, found error {int(status)} "
                f"({reason.decode(errors='replace')})"
            )
        return given[0] if given else None


def import_runtime() -> Any:
    """The runtime of cuda-bindings. Raises EngineMissing."""
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError) as error:
        raise EngineMissing(
            f"expected the CUDA runtime of the package cuda-bindings, found none ({error}); "
            "install cuda-bindings of the CUDA version of the driver"
        ) from error
