"""The few calls of the CUDA runtime that an engine needs, straight from its library."""
from __future__ import annotations

import ctypes
import glob
import sys
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.engines.engine import EngineError, EngineMissing

LIBRARIES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
PLACES = ("/usr/local/cuda/lib64", "/usr/local/cuda/targets/*/lib")
TO_DEVICE, TO_HOST = 1, 2
MAJOR, MINOR = 75, 76  # attributes: compute capability
PROPERTIES_BYTES = 8192  # more than cudaDeviceProp of any release; the name comes first
NAME_BYTES = 256


class Cuda:
    """Device 0, with a stream of its own. Raises EngineMissing without the library, EngineError where a call fails."""

    def __init__(self) -> None:
        self._library = _load()
        count = ctypes.c_int()
        self._call("cudaGetDeviceCount", ctypes.byref(count))
        if count.value == 0:
            raise EngineError("expected an NVIDIA GPU, found none")
        self._allocated: list[tuple[str, ctypes.c_void_p]] = []
        self._stream = ctypes.c_void_p()
        self._call("cudaStreamCreate", ctypes.byref(self._stream))

    @property
    def stream(self) -> int:
        return int(self._stream.value or 0)

    def device(self) -> str:
        """Name and compute capability, e.g. "NVIDIA RTX A4000, 8.6"."""
        properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
        name = "cudaGetDeviceProperties_v2" if hasattr(self._library, "cudaGetDeviceProperties_v2") else "cudaGetDeviceProperties"
        self._call(name, properties, 0)
        capability = []
        for attribute in (MAJOR, MINOR):
            value = ctypes.c_int()
            self._call("cudaDeviceGetAttribute", ctypes.byref(value), attribute, 0)
            capability.append(value.value)
        return f"{properties.raw[:NAME_BYTES].split(bytes(1))[0].decode(errors='replace')}, {capability[0]}.{capability[1]}"

    def on_device(self, size: int) -> int:
        """Address of `size` bytes on the device."""
        return self._allocate("cudaMalloc", "cudaFree", size)

    def on_host(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """An array in page-locked memory."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        address = self._allocate("cudaMallocHost", "cudaFreeHost", size)
        return np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), dtype).reshape(shape)

    def upload(self, address: int, array: np.ndarray) -> None:
        """Queue a copy to the device."""
        self._copy(address, array.ctypes.data, array.nbytes, TO_DEVICE)

    def download(self, array: np.ndarray, address: int) -> None:
        """Queue a copy from the device."""
        self._copy(array.ctypes.data, address, array.nbytes, TO_HOST)

    def wait(self) -> None:
        """Until everything that was queued is done."""
        self._call("cudaStreamSynchronize", self._stream)

    def close(self) -> None:
        """Free everything. A device that is gone frees it by itself, so that failures do not matter here."""
        for release, pointer in self._allocated:
            getattr(self._library, release)(pointer)
        self._allocated.clear()
        self._library.cudaStreamDestroy(self._stream)

    def _allocate(self, name: str, release: str, size: int) -> int:
        pointer = ctypes.c_void_p()
        self._call(name, ctypes.byref(pointer), ctypes.c_size_t(size))
        self._allocated.append((release, pointer))
        return int(pointer.value or 0)

    def _copy(self, to: int, start: int, size: int, way: int) -> None:
        self._call("cudaMemcpyAsync", ctypes.c_void_p(to), ctypes.c_void_p(start), ctypes.c_size_t(size), way, self._stream)

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            self._library.cudaGetErrorString.restype = ctypes.c_char_p
            reason = (self._library.cudaGetErrorString(status) or b"").decode(errors="replace")
            raise EngineError(f"expected {name} of the CUDA runtime to work, found error {status} ({reason})")


def _load() -> ctypes.CDLL:
    places = [*(path for place in PLACES for path in glob.glob(place)),
              *(str(path) for folder in sys.path if folder for path in Path(folder).glob("nvidia/*/lib"))]
    for library in (*LIBRARIES, *(f"{place}/{name}" for place in places for name in LIBRARIES)):
        try:
            return ctypes.CDLL(library)
        except OSError:
            continue
    raise EngineMissing(f"expected the CUDA runtime ({LIBRARIES[0]} or older), found none; install CUDA or the package nvidia-cuda-runtime")
