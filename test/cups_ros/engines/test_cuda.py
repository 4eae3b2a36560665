"""The CUDA runtime as far as a machine without a GPU goes: a stand-in of the functions that are called, held against
the real package."""

from __future__ import annotations

import ctypes
import importlib
import types

import numpy as np
import pytest

from cups_ros.engines import EngineError, EngineMissing
from cups_ros.engines.cuda import Cuda

NAMES = (
    "cudaGetDeviceCount",
    "cudaStreamCreate",
    "cudaStreamSynchronize",
    "cudaStreamDestroy",
    "cudaGetDeviceProperties",
    "cudaMalloc",
    "cudaFree",
    "cudaMallocHost",
    "cudaFreeHost",
    "cudaMemcpyAsync",
    "cudaGetErrorString",
)


class Runtime:
    """Every function gives a tuple of status and results, as those of cuda-bindings do; "device" memory is the
    host's."""

    cudaMemcpyKind = types.SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __init__(self, devices=1, room=1000):
        self.devices, self.room, self.kept = devices, room, {}

    def cudaGetDeviceCount(self):
        return 0, self.devices

    def cudaStreamCreate(self):
        return 0, 7

    def cudaStreamSynchronize(self, stream):
        assert stream == 7
        return (0,)

    cudaStreamDestroy = cudaStreamSynchronize

    def cudaGetDeviceProperties(self, device):
        return 0, types.SimpleNamespace(name=b"NVIDIA Test\0\0rest", major=8, minor=6)

    def cudaMalloc(self, size):
        if size > self.room:
            return 2, None
        memory = ctypes.create_string_buffer(size)
        self.kept[ctypes.addressof(memory)] = memory
        return 0, ctypes.addressof(memory)

    cudaMallocHost = cudaMalloc

    def cudaFree(self, address):
        del self.kept[address]
        return (0,)

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, to, start, size, way, stream):
        assert way in (1, 2) and stream == 7
        ctypes.memmove(to, start, size)
        return (0,)

    def cudaGetErrorString(self, status):
        return 0, b"out of memory"


@pytest.fixture
def runtime(monkeypatch):
    stand_in = Runtime()
    monkeypatch.setattr("cups_ros.engines.cuda.import_runtime", lambda: stand_in)
    return stand_in


def test_arrays_go_there_and_back_and_all_is_freed(runtime):
    cuda = Cuda()
    assert cuda.device() == "NVIDIA Test, 8.6" and cuda.stream == 7
    address, there, back = (
        cuda.on_device(24),
        cuda.on_host((2, 3), np.dtype("float32")),
        cuda.on_host((2, 3), np.dtype("float32")),
    )
    there[:] = np.arange(6).reshape(2, 3)
    cuda.upload(address, there)
    cuda.download(back, address)
    cuda.wait()
    assert (back == there).all() and len(runtime.kept) == 3
    cuda.close()
    assert not runtime.kept


def test_what_fails_is_a_sentence_with_the_reason(runtime):
    with pytest.raises(
        EngineError, match=r"expected cudaMalloc of the CUDA runtime to work, found error 2 \(out of memory\)"
    ):
        Cuda().on_device(2000)
    runtime.devices = 0
    with pytest.raises(EngineError, match="expected an NVIDIA GPU, found none"):
        Cuda()


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(importlib.import_module("sys").modules, "cuda.bindings.runtime", None)
    with pytest.raises(EngineMissing, match="install cuda-bindings"):
        Cuda()


def test_the_stand_in_is_like_the_real_package():
    real = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    for name in NAMES:
        assert callable(getattr(real, name)) and callable(getattr(Runtime, name))
    assert (
        int(real.cudaError_t.cudaSuccess) == 0
        and isinstance(real.cudaDeviceProp().name, bytes)
        and int(real.cudaStream_t(7)) == 7
    )
    assert [int(getattr(real.cudaMemcpyKind, name)) for name in vars(Runtime.cudaMemcpyKind)] == [1, 2]
    assert real.cudaGetErrorString(real.cudaError_t(2)) == (0, b"out of memory")
    assert isinstance(real.cudaGetDeviceCount(), tuple) and len(real.cudaStreamSynchronize(real.cudaStream_t(0))) == 1


def test_a_machine_without_a_gpu_says_so():
    try:
        cuda = Cuda()
    except EngineError as error:
        assert "GPU" in str(error) or "CUDA runtime" in str(error)
    else:
        assert cuda.device()
        cuda.close()
