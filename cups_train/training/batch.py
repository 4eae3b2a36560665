"""Samples to tensors, and the threads that prepare samples while the network works."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from cups_train.network.spec import Target
from cups_train.parallel import cores
from cups_train.training.sample import Sample, boxes_of

AHEAD = 2  # steps prepared in advance
MOST_THREADS = 8
Item = TypeVar("Item")


def sample_threads(device: torch.device) -> ThreadPoolExecutor:
    """Threads for samples: one beside a network on the CPU, more where an accelerator leaves the cores free."""
    count = 1 if device.type == "cpu" else max(1, min(MOST_THREADS, cores() - 1))
    return ThreadPoolExecutor(count, "samples", initializer=cv2.setNumThreads, initargs=(1,))


def prefetch(
    make: Callable[[int, int], Item], steps: Iterable[int], batch: int, threads: ThreadPoolExecutor
) -> Iterator[tuple[int, list[Item]]]:
    """(step, items) for every step, in order; `make(step, row)` runs in the threads, AHEAD steps in advance."""
    waiting: deque[tuple[int, list[Future[Item]]]] = deque()
    try:
        for step in steps:
            waiting.append((step, [threads.submit(make, step, row) for row in range(batch)]))
            if len(waiting) > AHEAD:
                ready, futures = waiting.popleft()
                yield ready, [future.result() for future in futures]
        while waiting:
            ready, futures = waiting.popleft()
            yield ready, [future.result() for future in futures]
    finally:
        for _, futures in waiting:
            for future in futures:
                future.cancel()


def image_batch(images: list[np.ndarray], device: torch.device) -> Tensor:
    """(H, W, 3) uint8 images of one size -> (B, 3, H, W) float 0..1."""
    pixels = torch.from_numpy(np.stack(images)).to(device, non_blocking=True)
    return pixels.permute(0, 3, 1, 2).float().div_(255.0).contiguous()


def target_of(sample: Sample, device: torch.device) -> Target:
    """What a sample supervises, on the device; every instance needs a pixel (see `without_slivers`)."""
    boxes = torch.from_numpy(boxes_of(sample.instance, len(sample.thing))).to(device)
    numbers = torch.arange(1, len(sample.thing) + 1, device=device)
    instance = torch.from_numpy(sample.instance.astype(np.int32)).to(device)
    semantic = torch.from_numpy(sample.semantic).to(device).long()
    return Target(boxes, torch.from_numpy(sample.thing).to(device), instance[None] == numbers[:, None, None], semantic)
