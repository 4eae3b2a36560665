"""A slow copy of a network that learns: the teacher of stage 3, the result of stage 2."""

from __future__ import annotations

import copy

import torch

from cups_train.network.model import PanopticNetwork

SOON = 10  # steps: before, the average is one over the steps so far


def still_copy(network: PanopticNetwork) -> PanopticNetwork:
    """A copy that is never trained."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def momentum_at(step: int, momentum: float) -> float:
    """The momentum of an average after step 0, 1, ...: lower in the beginning, so that the start is forgotten."""
    return min(momentum, (step + 1) / (step + SOON))


@torch.no_grad()
def follow(slow: PanopticNetwork, fast: PanopticNetwork, momentum: float) -> None:
    """slow = momentum * slow + (1 - momentum) * fast, for the parameters that train and all statistics; counters are
    taken over."""
    pairs = [(mean, now) for mean, now in zip(slow.parameters(), fast.parameters(), strict=True) if now.requires_grad]
    for mean, now in (*pairs, *zip(slow.buffers(), fast.buffers(), strict=True)):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - momentum)
        else:
            mean.copy_(now)
