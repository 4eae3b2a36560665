"""What becomes of one image: decoded, rectified, inferred, tracked, published, counted. Runs in the worker's
threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.decoding import MessageError
from cups_ros.health import Health
from cups_ros.images import rgb_from
from cups_ros.locating import Locating
from cups_ros.outputs import Outputs
from cups_ros.recovery import EngineFailure, LastingModel
from cups_ros.rectification import CalibrationError, Lens, rectify
from cups_ros.settings import Live
from cups_ros.stamps import stamp_ns
from cups_ros.tracking import Tracker
from cups_ros.types import Panoptic

REPEATED_LOG_S = 5.0


class Frame(NamedTuple):
    """An image message and when it came, in seconds of the monotonic clock."""

    message: Image | CompressedImage
    arrival: float


@dataclass(frozen=True)
class Parts:
    """What an answer is made with."""

    model: LastingModel
    outputs: Outputs
    health: Health
    live: Callable[[], Live]
    logger: Any
    alive: Callable[[], bool]  # False once ROS is shut down
    tracker: Tracker
    locating: Locating | None
    lens: Callable[[], Lens | None] | None  # None: images are taken as they are
    image_topic: str


class Answering:
    """Answers images in their order: the engine runs for one at a time, and may run for the next one while an answer is
    made."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last_stamp_ns: int | None = None
        self._clock_jumped = threading.Event()

    def __call__(self, frame: Frame) -> Callable[[], None] | None:
        """Run the engine on an image; what is returned makes and publishes the answer. Whatever happens is counted."""
        parts = self._parts
        if not parts.outputs.asked(measured=parts.locating is not None):
            parts.health.count("unasked")
            return None
        live = parts.live()
        try:
            image = self._rectified(rgb_from(frame.message, live.max_megapixels))
            rest = parts.model.start(image, live.thresholds(parts.model.thresholds))
        except (MessageError, CalibrationError) as error:
            self._report("malformed", f"malformed image: {error}")
        except EngineFailure as failure:
            parts.health.count("engine_failures")
            parts.health.count("failed", error=str(failure))
            parts.logger.warning(str(failure))
        except Exception as error:  # one bad frame must not end the node
            self._report("failed", f"{type(error).__name__}: {error}")
        else:
            return lambda: self._finish(frame, live, image, rest)
        return None

    def clock_jumped(self) -> None:
        """The ROS clock went backwards or was changed; from any thread."""
        self._clock_jumped.set()

    def _finish(self, frame: Frame, live: Live, image: np.ndarray, rest: Callable[[], Panoptic]) -> None:
        """image: (H, W, 3) uint8 RGB; `rest` gives its panoptic map."""
        try:
            panoptic = self._answer(frame, live, rest)
        except Exception as error:  # as above
            self._report("failed", f"{type(error).__name__}: {error}")
            return
        try:
            self._pass_on(frame, live, image, panoptic)
        except Exception as error:  # the answer itself is out already
            self._report("", f"{type(error).__name__}: {error}")

    def _answer(self, frame: Frame, live: Live, rest: Callable[[], Panoptic]) -> Panoptic:
        parts, header = self._parts, frame.message.header
        panoptic = rest()
        self._watch_time(stamp_ns(header))
        if live.track:
            panoptic = parts.tracker.update(panoptic, stamp_ns(header))
        parts.outputs.panoptic(panoptic, header)
        now = time.monotonic()
        parts.health.answer(now, now - frame.arrival)
        return panoptic

    def _pass_on(self, frame: Frame, live: Live, image: np.ndarray, panoptic: Panoptic) -> None:
        parts, header = self._parts, frame.message.header
        parts.outputs.others(panoptic, image, header, live.overlay_alpha)
        if parts.locating is not None and parts.outputs.wants("markers"):
            parts.locating.answer(panoptic, header)

    def _rectified(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> the same size."""
        if self._parts.lens is None:
            return image
        lens = self._parts.lens()
        if lens is None:
            raise CalibrationError(
                "expected a camera_info to rectify with, found none yet; remap camera_info or set rectify to false"
            )
        return image if lens.is_rectified(self._parts.image_topic) else rectify(image, lens)

    def _watch_time(self, now_ns: int) -> None:
        """Forget what was seen where time goes back: the clock was set, or a recording began anew."""
        back = self._last_stamp_ns is not None and now_ns < self._last_stamp_ns
        self._last_stamp_ns = now_ns
        if not back and not self._clock_jumped.is_set():
            return
        self._clock_jumped.clear()
        self._parts.health.count("clock_jumps")
        self._parts.tracker.reset()
        if self._parts.locating is not None:
            self._parts.locating.forget()

    def _report(self, count: str, text: str) -> None:
        if not self._parts.alive():  # ROS is shut down: nothing can be published any more
            return
        if count:
            self._parts.health.count(count, error=text)
        else:
            self._parts.health.error(text)
        self._parts.logger.error(text, throttle_duration_sec=REPEATED_LOG_S)
