"""The momentum teacher: a slow copy of the student (CUPS, stage 3)."""
from __future__ import annotations

import copy

import torch

from cups_train.network.model import PanopticNetwork

PUBLISHED_STEPS, PUBLISHED_MOMENTUM = 1500, 0.999


def momentum_for(steps: int, momentum: float | None) -> float:
    """The momentum of one step. None: the one with which the teacher holds the same share of its start after `steps`, 0.999^1500 = 0.223."""
    return PUBLISHED_MOMENTUM ** (PUBLISHED_STEPS / max(1, steps)) if momentum is None else momentum


def make_teacher(student: PanopticNetwork) -> PanopticNetwork:
    """A copy that is never trained."""
    return copy.deepcopy(student).eval().requires_grad_(False)


@torch.no_grad()
def follow(teacher: PanopticNetwork, student: PanopticNetwork, momentum: float) -> None:
    """teacher = momentum * teacher + (1 - momentum) * student, for the parameters that the student trains; the rest is equal anyway."""
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        if fast.requires_grad:
            slow.lerp_(fast, 1 - momentum)
