"""What lives while the node is active: the worker, what it answers with, and the subscriptions that feed it."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from stereo_msgs.msg import DisparityImage

from cups_ros.answering import Answering, Frame, Parts
from cups_ros.health import Health
from cups_ros.inputs import Inputs, Receivers
from cups_ros.locating import Locating
from cups_ros.outputs import Outputs
from cups_ros.pacing import spare_collector
from cups_ros.recovery import LastingModel
from cups_ros.rectification import CalibrationError, Lens, lens_from
from cups_ros.settings import Live, Value
from cups_ros.tracking import Tracker
from cups_ros.worker import NewestWorker, RateLimit

STOP_TIMEOUT_S = 10.0


class Listening:
    """Made at activation, closed at deactivation. The worker is there before the first message."""

    def __init__(
        self, node: Node, value: Callable[[str], Value], model: LastingModel, outputs: Outputs, health: Health
    ) -> None:
        """`value` gives a parameter of the node."""
        self._node, self._value, self._outputs, self._health = node, value, outputs, health
        self.lens: Lens | None = None  # of the newest camera_info
        self.inputs: Inputs | None = None
        self._rate, self._told = RateLimit(), ""
        self._locating = self._new_locating() if value("depth_source") != "none" else None
        self._answering = Answering(self._parts(model))
        self.worker: NewestWorker[Frame] = NewestWorker(self._answering, threads=2)
        spare_collector()

    def subscribe(self, receivers: Receivers, group: CallbackGroup) -> str:
        """Begin to hear; the topic of the images."""
        self.inputs = Inputs(self._node, self._value, receivers, group)
        return self.inputs.image_topic

    def image(self, message: Image | CompressedImage) -> None:
        """An image came: it is offered to the worker."""
        now = time.monotonic()
        self._health.image(now)
        if not self._rate.lets_through(now, float(self._value("max_rate_hz"))):
            self._health.count("skipped")
        elif self.worker.offer(Frame(message, now)):
            self._health.count("dropped")

    def camera_info(self, message: CameraInfo) -> None:
        """A camera_info came: it is kept, and told where images are not rectified though they should be."""
        try:
            lens = lens_from(message)
        except CalibrationError as error:
            self._tell(f"{error} in camera_info; calibrate the camera")
            return
        if lens == self.lens:
            return
        self.lens = lens
        topic = self.inputs.image_topic if self.inputs is not None else ""
        if not self._value("rectify") and not lens.is_rectified(topic):
            self._tell(
                f"images on {topic} are not rectified by their camera_info, and the model was "
                "trained on rectified ones: "
                "set rectify to true, or subscribe to a rectified topic"
            )

    def depth(self, message: Image | DisparityImage) -> None:
        """A depth or disparity image came: it is paired with the answer of its time."""
        if self._locating is not None and self._outputs.wants("markers"):
            self._locating.depth(message)

    def clock_jumped(self) -> None:
        """The ROS clock went backwards or was changed."""
        self._answering.clock_jumped()

    def close(self) -> None:
        """Hear no more; the image in work is still answered."""
        if self.inputs is not None:
            self.inputs.close()
        self._health.count("dropped", self.worker.stop(STOP_TIMEOUT_S))
        if self._locating is not None:
            self._locating.close()

    def _new_locating(self) -> Locating:
        return Locating(
            self._outputs.located,
            lambda: self.lens,
            self._health,
            self._node.get_logger(),
            lambda: (float(self._value("depth_tolerance_s")), float(self._value("depth_max_m"))),
        )

    def _parts(self, model: LastingModel) -> Parts:
        return Parts(
            model=model,
            outputs=self._outputs,
            health=self._health,
            live=lambda: Live.read(self._value),
            logger=self._node.get_logger(),
            alive=self._node.context.ok,
            tracker=Tracker(float(self._value("track_min_iou")), int(self._value("track_max_missed"))),
            locating=self._locating,
            lens=(lambda: self.lens) if self._value("rectify") else None,
            image_topic=self._node.resolve_topic_name("image"),
        )

    def _tell(self, text: str) -> None:
        """Warn of something about the input, once."""
        if text != self._told:
            self._told = text
            self._health.error(text)
            self._node.get_logger().warning(text)
