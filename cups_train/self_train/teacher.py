"""How slowly the teacher follows the student (CUPS, stage 3)."""

from __future__ import annotations

PUBLISHED_STEPS, PUBLISHED_MOMENTUM = 1500, 0.999


def momentum_for(steps: int, momentum: float | None) -> float:
    """The momentum of one step. None: the one with which the teacher holds the same share of its start after `steps`,
    0.999^1500 = 0.223."""
    return PUBLISHED_MOMENTUM ** (PUBLISHED_STEPS / max(1, steps)) if momentum is None else momentum
