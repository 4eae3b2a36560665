"""Scene flow of two stereo frames: optical flow, disparity now and disparity at the end of the flow, by the source that is configured."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np

from cups_train.config import MotionConfig
from cups_train.flow.camera_motion import camera_motion, rigid_flow
from cups_train.flow.dis import candidates, consistent, grey_of, measured_near, nearest_back
from cups_train.flow.select import fuse, look_at
from cups_train.flow.sgm import CHECK_PX, fill_disparity, left_right_check, match_both_ways
from cups_train.geometry.warp import warp
from cups_train.types import SceneFlow, StereoFrame

FLOW_SIGMA = 0.2  # px, best case of the matcher
DISPARITY_SIGMA = 0.2  # px
HELD = 3  # frames whose results are kept: t-1, t, t+1

Disparity = tuple[np.ndarray, np.ndarray]  # (H, W) float32 px, and (H, W) float32 px, its disagreement with the right image's; infinite: none


@dataclass(frozen=True, eq=False)
class Fields:
    """What a matcher measured of a pair, unchecked."""

    forward: np.ndarray  # (H, W, 2) float32 px, left image of `now` -> `after`
    back: np.ndarray  # (H, W, 2) float32 px, the way back, at the end of `forward`
    sure: np.ndarray  # (H, W) bool, `forward` ends inside the picture and nothing else fits as well
    now: Disparity
    after: Disparity


class Matcher(Protocol):
    """A source of flow and disparity. It keeps the results of the last frames: consecutive pairs, also backwards, share their work."""

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        """Both flows between the left images, and the disparities of both frames."""


class Memory:
    """Results that belong to the last few frames; a frame is known by its identity, not by its content."""

    def __init__(self) -> None:
        self._frames: deque[StereoFrame] = deque(maxlen=HELD)
        self._found: dict[tuple[Any, ...], Any] = {}

    def hold(self, *frames: StereoFrame) -> None:
        """Keep these frames; the results of those that go are dropped."""
        for frame in frames:
            if not any(frame is held for held in self._frames):
                self._frames.append(frame)
        alive = {id(frame) for frame in self._frames}
        self._found = {key: value for key, value in self._found.items() if alive.issuperset(key[1:])}

    def missing(self, kind: str, *frames: StereoFrame) -> bool:
        return _key(kind, frames) not in self._found

    def put(self, value: Any, kind: str, *frames: StereoFrame) -> None:
        self._found[_key(kind, frames)] = value

    def get(self, kind: str, *frames: StereoFrame) -> Any:
        return self._found[_key(kind, frames)]

    def once(self, compute: Callable[[], Any], kind: str, *frames: StereoFrame) -> Any:
        """The kept result, or that of `compute`."""
        if self.missing(kind, *frames):
            self.put(compute(), kind, *frames)
        return self.get(kind, *frames)


def _key(kind: str, frames: tuple[StereoFrame, ...]) -> tuple[Any, ...]:
    return (kind, *map(id, frames))


class ClassicalMatcher:
    """DIS flow and SGBM disparity, both ways. A flow that the camera's motion and the disparity predict is one more candidate.

    The prediction takes no part in the check of the way back: only what was measured in both directions is believed.
    """

    def __init__(self, max_disparity: float) -> None:
        self.max_disparity = max_disparity
        self._memory = Memory()

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        self.hold(now, after)
        forward, back, sure = self.flow(now, after)
        return Fields(forward, back, sure, self.disparity(now), self.disparity(after))

    def hold(self, *frames: StereoFrame) -> None:
        """Results of these frames are kept from now on; `match` does it by itself."""
        self._memory.hold(*frames)

    def disparity(self, frame: StereoFrame) -> Disparity:
        """Unchecked disparity of the left image and its disagreement with the right one's."""
        return self._memory.once(lambda: left_right_check(*match_both_ways(frame.left, frame.right, self.max_disparity)), "disparity", frame)

    def flow(self, now: StereoFrame, after: StereoFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first three of `Fields`."""
        once = self._memory.once
        grey, grey_after = (once(partial(grey_of, frame.left), "grey", frame) for frame in (now, after))
        look, look_after = once(partial(look_at, grey), "look", now), once(partial(look_at, grey_after), "look", after)
        onward = once(lambda: candidates(grey, grey_after), "candidates", now, after)
        backward = once(lambda: candidates(grey_after, grey), "candidates", after, now)
        disparity, error = self.disparity(now)
        known = error < CHECK_PX
        motion = camera_motion(now.camera, onward[0], disparity, known & consistent(onward[0], *warp(backward[0], onward[0])))
        prior = None
        if motion is not None:
            prior = measured_near(rigid_flow(now.camera, motion, fill_disparity(disparity, known)), grey, grey_after)
        forward, doubt = fuse(onward, backward, look, look_after, prior)
        back, inside = nearest_back(forward, backward)
        return forward, back, inside & ~doubt


@lru_cache(maxsize=1)
def open_matcher(config: MotionConfig, device: str = "cpu", alone: bool = True) -> Matcher:
    """The source that `config.flow` names, made once a process. `alone`: one process among several, so that one thread is enough.

    Raises ModelError where the weights of a network cannot be used.
    """
    if config.flow == "classical":
        return ClassicalMatcher(config.max_disparity)
    from cups_train.flow.learned.matcher import open_network  # needs torch; geometry itself does not

    return open_network(config, device, alone)


def scene_flow(now: StereoFrame, after: StereoFrame, config: MotionConfig, device: str = "cpu", alone: bool = True) -> SceneFlow:
    """Correspondences from the frame `now` to `after` (later, or earlier), with what the checks say about their noise."""
    return join(open_matcher(config, device, alone).match(now, after))


def join(fields: Fields) -> SceneFlow:
    """Check the fields against one another and fetch the disparity at the end of the flow."""
    round_trip = np.linalg.norm(fields.forward + fields.back, axis=-1)
    flow_ok = consistent(fields.forward, fields.back, fields.sure)
    disparity, error = fields.now
    ok = error < CHECK_PX
    next_ok, _ = warp((fields.after[1] < CHECK_PX).astype(np.float32), fields.forward)
    fetched, _ = warp(fields.after[0], fields.forward)
    nearest, _ = warp(fields.after[0], fields.forward, nearest=True)
    smooth = np.abs(fetched - nearest) < 0.25 + 0.03 * nearest  # bilinear across a depth step is no depth
    return SceneFlow(
        flow=fields.forward.astype(np.float32), disparity=np.where(ok, disparity, 0).astype(np.float32), disparity_next=fetched.astype(np.float32),
        flow_ok=flow_ok, disparity_ok=ok & (disparity > 0), disparity_next_ok=fields.sure & (next_ok > 0.999) & smooth & flow_ok,
        flow_sigma=np.hypot(FLOW_SIGMA, np.minimum(round_trip, 50) / 2).astype(np.float32),
        disparity_sigma=np.hypot(DISPARITY_SIGMA, np.minimum(error, CHECK_PX) / 2).astype(np.float32))
