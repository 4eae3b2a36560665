"""One process or many (torchrun): ranks, and a network that averages its gradients over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cups_train.device import torch_device
from cups_train.network import LossOptions, PanopticNetwork, Target

Item = TypeVar("Item")


@dataclass(frozen=True)
class Process:
    """This process among all of a training."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gather(self, value: list[Item]) -> list[Item]:
        """The lists of all processes, one after the other."""
        if self.world == 1:
            return value
        lists: list[list[Item]] = [[] for _ in range(self.world)]
        torch.distributed.all_gather_object(lists, value)
        return [item for found in lists for item in found]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            torch.distributed.barrier()

    def told(self, decision: bool) -> bool:
        """The first process's decision, on all of them."""
        if self.world == 1:
            return decision
        answer = torch.tensor(int(decision), device=self.device)
        torch.distributed.broadcast(answer, src=0)
        return bool(answer)


@contextmanager
def join_processes(device: torch.device | str) -> Iterator[Process]:
    """Join the process group where torchrun started several processes (WORLD_SIZE > 1), else stand alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device = torch_device(str(device))
    if world == 1:
        yield Process(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    started = not torch.distributed.is_initialized()
    if started:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(device, torch.distributed.get_rank(), world)
    finally:
        if started:
            torch.distributed.destroy_process_group()


class Losses(nn.Module):
    """A network whose forward pass is its losses, as DistributedDataParallel needs it; bfloat16 where asked for."""

    def __init__(self, network: PanopticNetwork, bf16: bool) -> None:
        super().__init__()
        self.network, self.bf16 = network, bf16

    def forward(self, images: Tensor, targets: list[Target], options: LossOptions) -> dict[str, Tensor]:
        """All losses of images (B, 3, H, W), by name."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            return self.network.losses(images, targets, options)


def multiplies_bfloat16() -> bool:
    """Whether this CPU has units for it; without them it is no faster."""
    return bool(torch.cpu._is_amx_tile_supported())


def losses_module(network: PanopticNetwork, process: Process, bf16: bool) -> nn.Module:
    """The losses of a network in this process. Batch norms see all ranks on CUDA."""
    on_cuda = process.device.type == "cuda"
    if process.world > 1 and on_cuda:
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    module = Losses(network, bf16)
    if process.world == 1:
        return module
    return DistributedDataParallel(module, [process.device] if on_cuda else None, find_unused_parameters=True)
