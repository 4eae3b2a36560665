"""Flow and disparity by a network: four passes for a new pair, two flows and two disparities, the rest is kept from the
pair before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from cups_train.config import MotionConfig
from cups_train.device import torch_device
from cups_train.errors import ModelError
from cups_train.flow.classical import ClassicalMatcher
from cups_train.flow.dis import grey_of
from cups_train.flow.fields import Disparity, Fields, Memory, TwoWayFlow
from cups_train.flow.learned.checkpoint import load_refiner
from cups_train.flow.learned.guess import guess
from cups_train.flow.learned.raft import load_raft
from cups_train.flow.select import fuse, look_at
from cups_train.geometry.warp import warp
from cups_train.types import StereoFrame

# from one left image to another; from the left image to the right one; from the right to the left
Direction = Literal["flow", "left", "right"]
SIDES: tuple[Direction, Direction] = ("left", "right")
MAX_SLOPE = 1.5 / 1280  # of the image width: rows further apart than this are no stereo match
VOLUME_BYTES = 4e9  # of correlation volumes computed at once on a GPU


@dataclass(frozen=True, eq=False)
class Pass:
    """One field that is wanted."""

    direction: Direction
    frames: tuple[StereoFrame, ...]  # two for flow, one for stereo

    @property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 RGB, from and to."""
        frame = self.frames[0]
        return {
            "flow": (frame.left, self.frames[-1].left),
            "left": (frame.left, frame.right),
            "right": (frame.right, frame.left),
        }[self.direction]


class Network(Protocol):
    """What computes the fields of image pairs."""

    def fields(self, passes: list[Pass]) -> list[np.ndarray]:
        """(H, W, 2) float32 px for each pass; all images have one size."""


class NetworkMatcher:
    """Flow both ways and disparity both ways from one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._memory = Memory()

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        memory = self._memory
        memory.hold(now, after)
        wanted = [Pass("flow", (now, after)), Pass("flow", (after, now))]
        wanted += [Pass(side, (frame,)) for frame in (now, after) for side in SIDES]
        missing = [one for one in wanted if memory.missing(one.direction, *one.frames)]
        for one, field in zip(missing, self.network.fields(missing), strict=True):
            memory.put(field, one.direction, *one.frames)
        near, then = (
            memory.once(
                partial(disparity_of, memory.get("left", frame), memory.get("right", frame)), "disparity", frame
            )
            for frame in (now, after)
        )
        forward = memory.get("flow", now, after)
        return Fields(TwoWayFlow(forward, *warp(memory.get("flow", after, now), forward)), near, then)


def disparity_of(to_right: np.ndarray, to_left: np.ndarray) -> Disparity:
    """Of the left image, from the flows (H, W, 2) px between both images. Its error is infinite where a flow leaves its
    row, or the image."""
    limit = max(MAX_SLOPE * to_right.shape[1], 0.5)
    left, right = np.maximum(-to_right[..., 0], 0), np.maximum(to_left[..., 0], 0)
    shift = np.stack([-left, np.zeros_like(left)], -1)
    other, inside = warp(right, shift)
    slope, _ = warp(np.abs(to_left[..., 1]), shift)
    known = inside & (np.abs(to_right[..., 1]) <= limit) & (slope <= limit)
    return Disparity(left.astype(np.float32), np.where(known, np.abs(left - other), np.inf).astype(np.float32))


class RaftNetwork:
    """RAFT on one device; several passes at once on a GPU (on a CPU that gains nothing, and results would depend on
    what is computed together)."""

    def __init__(self, raft: torch.nn.Module, device: torch.device) -> None:
        self.raft, self.device = raft.to(device), device

    @torch.inference_mode()
    def fields(self, passes: list[Pass]) -> list[np.ndarray]:
        """(H, W, 2) float32 px for each pass."""
        found: list[np.ndarray] = []
        if not passes:
            return found
        height, width = passes[0].images[0].shape[:2]
        volume = 4 * 4 / 3 * (height * width / 64) ** 2
        at_once = max(1, int(VOLUME_BYTES // volume)) if self.device.type == "cuda" else 1
        for start in range(0, len(passes), at_once):
            pairs = [one.images for one in passes[start : start + at_once]]
            first, second = (planes(np.stack([pair[i] for pair in pairs]), self.device) for i in (0, 1))
            found += list(self.raft(first, second).permute(0, 2, 3, 1).float().cpu().numpy())
        return found


class RefinedMatcher:
    """Classical fields, with the flow as the refinement sees it as one more candidate: at each pixel the images decide
    between both.

    Disparity stays classical: along one line SGBM is the better matcher.
    """

    def __init__(self, refiner: torch.nn.Module, device: torch.device, max_disparity: float) -> None:
        self.refiner, self.device = refiner.to(device), device
        self.classical = ClassicalMatcher(max_disparity)
        self._memory = Memory()

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        self._memory.hold(now, after)
        self.classical.hold(now, after)
        onward, backward = self._flows(now, after), self._flows(after, now)
        look, look_after = (
            self._memory.once(partial(look_at, grey_of(frame.left)), "look", frame) for frame in (now, after)
        )
        forward, _ = fuse(onward[1:], backward, look, look_after, prior=onward[0])
        back, _ = fuse(backward[1:], onward, look_after, look, prior=backward[0])
        return Fields(
            TwoWayFlow(forward, *warp(back, forward)), self.classical.disparity(now), self.classical.disparity(after)
        )

    def _flows(self, now: StereoFrame, after: StereoFrame) -> list[np.ndarray]:
        """The classical flow, and the refined one: (H, W, 2) float32 px each."""
        return self._memory.once(partial(self._refine, now, after), "flows", now, after)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def _refine(self, now: StereoFrame, after: StereoFrame) -> list[np.ndarray]:
        """[classical, refined] flow, (H, W, 2) float32 px each."""
        field, trip = guess(self.classical, now, after)
        first, second = (planes(image[None], self.device) for image in (now.left, after.left))
        flow = self.refiner(
            first,
            second,
            torch.from_numpy(field).to(self.device).permute(2, 0, 1)[None],
            torch.from_numpy(trip).to(self.device)[None, None],
        )
        return [field, np.ascontiguousarray(flow[0].permute(1, 2, 0).cpu().numpy())]


def planes(images: np.ndarray, device: torch.device) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float in [0, 1]."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255


def open_network(config: MotionConfig, device: str, one_thread: bool) -> NetworkMatcher | RefinedMatcher:
    """The network that `config.flow` names; on a CPU it computes with one thread where `one_thread` is set. Raises
    ModelError."""
    if config.flow_weights is None:
        raise ModelError(
            f"expected motion.flow_weights with motion.flow = {config.flow}, found none; name the file of weights, "
            "or take `-o motion.flow=classical`"
        )
    chip = torch_device(device)
    if one_thread and chip.type == "cpu":
        torch.set_num_threads(1)
    if config.flow == "raft":
        return NetworkMatcher(RaftNetwork(load_raft(config.flow_weights, config.flow_iterations), chip))
    return RefinedMatcher(load_refiner(config.flow_weights), chip, config.max_disparity)
