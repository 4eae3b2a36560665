"""RAFT with the published SMURF weights on torchvision's parts (Teed and Deng, ECCV 2020; Stone et al., CVPR 2021)."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.optical_flow import raft_large
from torchvision.models.optical_flow.raft import FeatureEncoder, ResidualBlock

from cups_train.errors import ModelError, first_line

PREFIX = "raft."  # the published file is the state of a wrapper that owns the network under this name
LOOKED_UP = "update_block.motion_encoder.convcorr1.0.weight"  # the layer that reads the correlation windows
LEVELS, WINDOW = 4, 9  # of the correlation pyramid
SMALLEST = 128  # px; smaller images have no top level
LAYERS, STRIDES = (64, 64, 96, 128, 256), (2, 1, 2, 2)


def build_raft() -> nn.Module:
    """torchvision's raft_large, with InstanceNorm in the context encoder as in SMURF; random weights."""
    context = FeatureEncoder(block=ResidualBlock, layers=LAYERS, strides=STRIDES, norm_layer=nn.InstanceNorm2d)
    return raft_large(weights=None, context_encoder=context)  # type: ignore[no-any-return, unused-ignore]


class Raft(nn.Module):
    """Flow of image pairs; the last of `iterations` predictions."""

    def __init__(self, network: nn.Module, iterations: int) -> None:
        super().__init__()
        self.network, self.iterations = network, iterations

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """first, second: (B, 3, H, W) float RGB in [0, 1] -> (B, 2, H, W) px, (u, v), from first to second. Any size;
        the border is repeated."""
        height, width = first.shape[-2:]
        below, right = (max(SMALLEST, -(-size // 8) * 8) - size for size in (height, width))
        padded = [functional.pad(2 * image - 1, (0, right, 0, below), mode="replicate") for image in (first, second)]
        flow: Tensor = self.network(*padded, num_flow_updates=self.iterations)[-1]
        return flow[..., :height, :width]


def load_raft(path: Path, iterations: int) -> Raft:
    """The network with the weights of `raft_smurf.pt`, in eval mode. Raises ModelError.

    That file's network looks up its 9 x 9 correlation windows row by row, torchvision column by column: the one layer
    that reads them is permuted.
    """
    network = build_raft()
    wanted = network.state_dict()
    found = {name.removeprefix(PREFIX): tensor for name, tensor in _read(path).items() if name.startswith(PREFIX)}
    wrong = sorted(
        name
        for name in wanted.keys() | found.keys()
        if name not in found or name not in wanted or wanted[name].shape != found[name].shape
    )
    if wrong:
        raise ModelError(
            f"expected the {len(wanted)} tensors of raft_smurf.pt in {path} (motion.flow_weights), found "
            f"{len(found)} under "
            f"{PREFIX!r} and {len(wrong)} that do not fit, the first of them {wrong[0]}"
        )
    found[LOOKED_UP] = found[LOOKED_UP].unflatten(1, (LEVELS, WINDOW, WINDOW)).transpose(2, 3).flatten(1, 3)
    network.load_state_dict(found)
    return Raft(network, iterations).eval()


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors (...) by name. Raises ModelError."""
    if not path.is_file():
        raise ModelError(f"expected RAFT weights in {path} (motion.flow_weights), found no file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"expected {path} as a torch file of plain tensors (motion.flow_weights), found one "
            "that cannot be read without "
            f"running code from it, or a damaged one ({first_line(error, 'empty')})"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(
            f"expected a dictionary of tensors in {path} (motion.flow_weights), found {type(state).__name__} of "
            "other things"
        )
    return state
