"""AdamW with clipping, and one training step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cups_train.errors import CupsError

NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
MOST_BAD_STEPS = 10
WARM_UP = 30  # steps, a quarter of a short training
LEAST = 0.02  # of the learning rate, at the end


def make_optimiser(network: nn.Module, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the parameters that train; no weight decay on norm layers."""
    norms = {
        id(p) for module in network.modules() if isinstance(module, NORMS) for p in module.parameters(recurse=False)
    }
    training = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in training if id(p) not in norms], "weight_decay": weight_decay},
        {"params": [p for p in training if id(p) in norms], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=lr)


def learning_rate(
    lr: float, warmup: int, step: int, falling: tuple[int, int] | None = None, cosine: bool = False
) -> float:
    """Linear up to `lr` over the first `warmup` steps, then constant. `step` counts from 0.

    falling: (start, end) steps between which the rate goes down to zero, linearly or as half a cosine.
    """
    start, end = falling or (step + 1, step + 2)
    left = min(1.0, (end - step) / (end - start))
    return lr * min(1.0, (step + 1) / max(1, warmup)) * (0.5 - 0.5 * math.cos(math.pi * left) if cosine else left)


def cosine(step: int, steps: int, lr: float) -> float:
    """Linear warm-up, then half a cosine down to 2 % of `lr`. `step` counts from 0."""
    warm = min(1.0, (step + 1) / min(WARM_UP, max(steps // 4, 1)))
    return lr * warm * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * step / max(steps, 1))))


@dataclass
class Optimisation:
    """Takes steps; refuses those whose gradient is not finite and gives up where that does not end."""

    optimiser: torch.optim.Optimizer
    clip: float  # largest norm of the gradient
    advice: str  # to who sees that it does not end
    bad_steps: int = 0  # in a row

    def step(self, compute: Callable[[], dict[str, Tensor]], lr: float) -> dict[str, float]:
        """Compute losses, follow their gradient; the losses' values, their sum as `loss` and the gradient's norm as
        `gradient`."""
        losses = compute()
        total = torch.stack([value.float() for value in losses.values()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        norm = nn.utils.clip_grad_norm_(parameters(self.optimiser), self.clip)
        values = torch.stack(
            [total.detach(), norm.detach(), *(value.detach().float() for value in losses.values())]
        ).tolist()
        self._apply(values[1])
        return dict(zip(("loss", "gradient", *losses), values, strict=True))

    def _apply(self, norm: float) -> None:
        if math.isfinite(norm):
            self.bad_steps = 0
            self.optimiser.step()
            return
        self.bad_steps += 1
        if self.bad_steps >= MOST_BAD_STEPS:
            raise CupsError(f"expected finite gradients, found {self.bad_steps} steps in a row without; {self.advice}")


def parameters(optimiser: torch.optim.Optimizer) -> Iterable[nn.Parameter]:
    """All parameters that an optimiser changes."""
    return [p for group in optimiser.param_groups for p in group["params"]]
