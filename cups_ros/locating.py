"""Answers meet depth images of their time: where the segments are. Neither waits for the other in the image's own
way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sensor_msgs.msg import Image
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage

from cups_ros.decoding import MessageError
from cups_ros.depth import NEAREST_M, Located, locate, usable
from cups_ros.health import Health
from cups_ros.images import depth_from, values_in
from cups_ros.pairing import Pairing
from cups_ros.rectification import Lens
from cups_ros.stamps import stamp_ns
from cups_ros.types import Panoptic
from cups_ros.worker import NewestWorker

NO_CAMERA = "expected a camera_info for positions in metres, found none yet; remap camera_info"
REPEATED_LOG_S = 5.0
STOP_TIMEOUT_S = 5.0


class Waiting(NamedTuple):
    """A panoptic map that waits for its depth."""

    panoptic: Panoptic
    header: Header


class Locating:
    """Pairs answers with depth images and gives on where the segments are; a thread of its own does the arithmetic."""

    def __init__(
        self,
        publish: Callable[[tuple[Located, ...], Header], None],
        camera: Callable[[], Lens | None],
        health: Health,
        logger: Any,
        limits: Callable[[], tuple[float, float]],
    ) -> None:
        """`camera` gives the rectified camera, None before a camera_info came; `limits` tolerance [s] and farthest
        depth [m]."""
        self._publish, self._camera, self._health, self._logger = publish, camera, health, logger
        self._farthest_m = lambda: limits()[1]
        self._pairing: Pairing[Waiting, Image | DisparityImage] = Pairing(round(limits()[0] * 1e9))
        self._worker: NewestWorker[tuple[Waiting, Image | DisparityImage]] = NewestWorker(self._locate, "locating")

    def answer(self, panoptic: Panoptic, header: Header) -> None:
        """An answer was published."""
        self._met(self._pairing.add_left(stamp_ns(header), Waiting(panoptic, header)))

    def depth(self, message: Image | DisparityImage) -> None:
        """A depth or disparity image came."""
        self._met(self._pairing.add_right(stamp_ns(message.header), message))

    def forget(self) -> None:
        """Time has jumped."""
        self._health.count("unmeasured", self._pairing.clear())

    def close(self) -> None:
        """End the thread."""
        self._health.count("unmeasured", self._worker.stop(STOP_TIMEOUT_S))
        self.forget()

    def _met(self, result: tuple[tuple[Waiting, Image | DisparityImage] | None, int]) -> None:
        pair, lost = result
        replaced = pair is not None and self._worker.offer(pair)
        if lost + replaced:
            self._health.count("unmeasured", lost + replaced)

    def _locate(self, pair: tuple[Waiting, Image | DisparityImage]) -> None:
        waiting, message = pair
        try:
            camera = self._camera()
            if camera is None:
                raise MessageError(NO_CAMERA)
            depth, farthest_m = depth_from(message), self._farthest_m()
            if not usable(depth, farthest_m).any():
                self._tell_unusable(message, farthest_m)
                return
            pinhole = camera.sized(waiting.panoptic.class_id.shape).pinhole()
            self._publish(locate(waiting.panoptic, depth, pinhole, farthest_m), waiting.header)
            self._health.count("measured")
        except Exception as error:  # one bad depth image must not end the thread
            text = f"no positions: {error}"
            self._health.count("unmeasured", error=text)
            self._logger.error(text, throttle_duration_sec=REPEATED_LOG_S)

    def _tell_unusable(self, message: Image | DisparityImage, farthest_m: float) -> None:
        """No markers either: an empty list would say that the road is free."""
        text = (
            f"no positions: expected a pixel of {NEAREST_M:g} to {farthest_m:g} m in the depth, "
            f"found {values_in(message)}"
        )
        self._health.warn("unmeasured", text)
        self._logger.warning(text, throttle_duration_sec=REPEATED_LOG_S)
