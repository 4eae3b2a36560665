"""Prefetching, and what the network is given."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from cups_train.errors import CupsError
from cups_train.training.batch import image_batch, prefetch, target_of
from cups_train.training.sample import Sample


def test_prefetch_keeps_order_and_works_ahead():
    made = []

    def make(step: int, row: int):
        made.append(step)
        return step, row

    with ThreadPoolExecutor(2) as threads:
        batches = prefetch(make, range(3, 9), 2, threads)
        first = next(batches)
        deadline = time.monotonic() + 5
        while len(made) < 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert set(made) == {3, 4, 5}  # two steps ahead, not more
        assert [first, *batches] == [(step, [(step, 0), (step, 1)]) for step in range(3, 9)]


def test_prefetch_passes_errors_on():
    def make(step: int, row: int):
        raise CupsError("no frame")

    with ThreadPoolExecutor(1) as threads, pytest.raises(CupsError, match="no frame"):
        list(prefetch(make, range(3), 1, threads))
    assert threading.active_count() < 20


def test_targets_and_images():
    instance = np.zeros((6, 8), np.uint16)
    instance[1:5, 2:6], instance[0, 7] = 1, 2
    sample = Sample(np.full((6, 8, 3), 51, np.uint8), np.full((6, 8), 255, np.uint8), instance, np.array([4, 1]))
    target = target_of(sample, torch.device("cpu"))
    assert target.boxes.tolist() == [[2, 1, 6, 5], [7, 0, 8, 1]] and target.thing.tolist() == [4, 1]
    assert target.masks.sum(dim=(1, 2)).tolist() == [16, 1] and target.masks.dtype == torch.bool
    assert target.semantic.dtype == torch.int64 and target.semantic.unique().tolist() == [255]
    images = image_batch([sample.image, sample.image], torch.device("cpu"))
    assert images.shape == (2, 3, 6, 8) and torch.allclose(images, torch.tensor(0.2))
