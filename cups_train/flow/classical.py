"""Flow and disparity without a network: DIS and SGBM, both ways."""

from __future__ import annotations

from functools import partial

from cups_train.flow.camera_motion import camera_motion, rigid_flow
from cups_train.flow.dis import candidates, consistent, grey_of, measured_near, nearest_back
from cups_train.flow.fields import Disparity, Fields, Memory, TwoWayFlow
from cups_train.flow.fill import fill_disparity
from cups_train.flow.select import fuse, look_at
from cups_train.flow.sgm import CHECK_PX, left_right_check, match_both_ways
from cups_train.geometry.warp import warp
from cups_train.types import StereoFrame


class ClassicalMatcher:
    """DIS flow and SGBM disparity, both ways. A flow that the camera's motion and the disparity predict is one more
    candidate.

    The prediction takes no part in the check of the way back: only what was measured in both directions is believed.
    """

    def __init__(self, max_disparity: float) -> None:
        self.max_disparity = max_disparity
        self._memory = Memory()

    def match(self, now: StereoFrame, after: StereoFrame) -> Fields:
        self.hold(now, after)
        return Fields(self.flow(now, after), self.disparity(now), self.disparity(after))

    def hold(self, *frames: StereoFrame) -> None:
        """Results of these frames are kept from now on; `match` does it by itself."""
        self._memory.hold(*frames)

    def disparity(self, frame: StereoFrame) -> Disparity:
        """Unchecked disparity of the left image and its disagreement with the right one's."""
        if self._memory.missing("disparity", frame):
            both_ways = match_both_ways(frame.left, frame.right, self.max_disparity)
            self._memory.put(Disparity(*left_right_check(*both_ways)), "disparity", frame)
        return self._memory.get("disparity", frame)  # type: ignore[no-any-return]

    def flow(self, now: StereoFrame, after: StereoFrame) -> TwoWayFlow:
        """Of frames that are held."""
        once = self._memory.once
        grey, grey_after = (once(partial(grey_of, frame.left), "grey", frame) for frame in (now, after))
        look, look_after = once(partial(look_at, grey), "look", now), once(partial(look_at, grey_after), "look", after)
        onward = once(lambda: candidates(grey, grey_after), "candidates", now, after)
        backward = once(lambda: candidates(grey_after, grey), "candidates", after, now)
        disparity = self.disparity(now)
        known = disparity.error < CHECK_PX
        motion = camera_motion(
            now.camera, onward[0], disparity.px, known & consistent(onward[0], *warp(backward[0], onward[0]))
        )
        prior = None
        if motion is not None:
            prior = measured_near(rigid_flow(now.camera, motion, fill_disparity(disparity.px, known)), grey, grey_after)
        forward, doubt = fuse(onward, backward, look, look_after, prior)
        back, inside = nearest_back(forward, backward)
        return TwoWayFlow(forward, back, inside & ~doubt)
