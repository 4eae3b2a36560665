"""A network as a source of flow and disparity: four passes for a new pair, two flows and two disparities, the rest is kept from the pair before."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cups_train.config import MotionConfig
from cups_train.device import torch_device
from cups_train.errors import ModelError
from cups_train.geometry.scene_flow import ClassicalMatcher, Disparity, Fields, Matcher, Memory
from cups_train.geometry.warp import warp
from cups_train.types import StereoFrame

MAX_SLOPE = 1.5 / 1280  # of the image width: rows further apart than this are no stereo match
VOLUME_BYTES = 4e9  # of correlation volumes computed at once on a GPU


@dataclass(frozen=True, eq=False)
class Pass:
    """One field that is wanted."""

    kind: str  # "flow", "left" (left image to right one) or "right"
    frames: tuple[StereoFrame, ...]  # two for flow, one for stereo
    initial: np.ndarray | None = None  # (H, W, 2) px, a first guess where the network refines one

    @property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 RGB, from and to."""
        frame = self.frames[0]
        return {"flow": (frame.left, self.frames[-1].left), "left": (frame.left, frame.right), "right": (frame.right, frame.left)}[self.kind]


class Network(Protocol):
    """What computes the fields of image pairs."""

    refines: bool  # it needs a first guess

    def fields(self, passes: list[Pass]) -> list[np.ndarray]:
        """(H, W, 2) float32 px for each pass; all images have one size."""


class NetworkMatcher:
    """Flow both ways and disparity both ways from one network."""

    def __init__(self, network: Network, guess: Matcher | None) -> None:
        self.network, self.guess = network, guess
        self._memory = Memory()

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        memory = self._memory
        memory.hold(now, after)
        wanted = [Pass("flow", (now, after)), Pass("flow", (after, now))]
        wanted += [Pass(kind, (frame,)) for frame in (now, after) for kind in ("left", "right")]
        missing = [one for one in wanted if memory.missing(one.kind, *one.frames)]
        for one, field in zip(missing, self.network.fields(missing), strict=True):
            memory.put(field, one.kind, *one.frames)
        near, then = (memory.once(lambda frame=frame: disparity_of(memory.get("left", frame), memory.get("right", frame)), "disparity", frame)
                      for frame in (now, after))
        return Fields(memory.get("flow", now, after), memory.get("flow", after, now), near, then)


def disparity_of(to_right: np.ndarray, to_left: np.ndarray) -> Disparity:
    """Disparity of the left image, and its disagreement with the right image's, from the flows (H, W, 2) px between both: (H, W) float32 px each.

    The disagreement is infinite where a flow leaves its row, or the image.
    """
    limit = max(MAX_SLOPE * to_right.shape[1], 0.5)
    left, right = np.maximum(-to_right[..., 0], 0), np.maximum(to_left[..., 0], 0)
    shift = np.stack([-left, np.zeros_like(left)], -1)
    other, inside = warp(right, shift)
    slope, _ = warp(np.abs(to_left[..., 1]), shift)
    known = inside & (np.abs(to_right[..., 1]) <= limit) & (slope <= limit)
    return left.astype(np.float32), np.where(known, np.abs(left - other), np.inf).astype(np.float32)


class RaftNetwork:
    """RAFT on one device; several passes at once on a GPU (on a CPU that gains nothing, and results would depend on what is computed together)."""

    refines = False

    def __init__(self, raft: torch.nn.Module, device: torch.device) -> None:
        self.raft, self.device = raft.to(device), device

    @torch.inference_mode()
    def fields(self, passes: list[Pass]) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        if not passes:
            return found
        height, width = passes[0].images[0].shape[:2]
        volume = 4 * 4 / 3 * (height * width / 64) ** 2
        at_once = max(1, int(VOLUME_BYTES // volume)) if self.device.type == "cuda" else 1
        for start in range(0, len(passes), at_once):
            pairs = [one.images for one in passes[start:start + at_once]]
            first, second = (self._tensor(np.stack([pair[i] for pair in pairs])) for i in (0, 1))
            found += list(self.raft(first, second).permute(0, 2, 3, 1).float().cpu().numpy())
        return found

    def _tensor(self, images: np.ndarray) -> Tensor:
        return torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float() / 255


def open_network(config: MotionConfig, device: str, alone: bool) -> NetworkMatcher:
    """The network that `config.flow` names. Raises ModelError."""
    from cups_train.flow_network.raft import load_raft

    if config.flow_weights is None:
        raise ModelError(f"expected motion.flow_weights with motion.flow = {config.flow}, found none; name the file of weights, "
                         "or take `-o motion.flow=classical`")
    place = torch_device(device)
    if alone and place.type == "cpu":
        torch.set_num_threads(1)
    return NetworkMatcher(RaftNetwork(load_raft(config.flow_weights, config.flow_iterations), place), None)
