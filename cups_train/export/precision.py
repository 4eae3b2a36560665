"""Half precision written into the network, so that a strongly typed engine has nothing to decide.

Convolutions and linear layers compute in float16. Normalisation statistics, box arithmetic, RoI pooling, softmax, the
upsampled logits and all outputs stay float32: the network casts to float32 before each of them by itself.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from cups_train.network.model import PanopticNetwork

HALF = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
SINGLE = (nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def in_half(network: PanopticNetwork) -> PanopticNetwork:
    """A copy whose weights of convolutions and linear layers are float16, with casts around them."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, HALF):
            module.half()
            module.register_forward_pre_hook(_cast_input_to_half)
        elif isinstance(module, SINGLE):
            module.register_forward_pre_hook(_cast_input_to_single)
            module.register_forward_hook(_cast_output_to_half)
    return network


def _cast_input_to_half(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.half() for tensor in arguments)


def _cast_input_to_single(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.float() for tensor in arguments)


def _cast_output_to_half(_module: nn.Module, _arguments: Any, output: Tensor) -> Tensor:
    return output.half()
