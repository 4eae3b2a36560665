"""What the node subscribes to, and what is known where nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from stereo_msgs.msg import DisparityImage

from cups_ros.outputs import incompatible, qos
from cups_ros.settings import INPUTS, Topic, Value

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

COMPRESSED = "/compressed"
NAMED = 4  # other topics that are named in a hint


@dataclass(frozen=True)
class Receivers:
    """Who takes the messages."""

    image: Callable[[Image | CompressedImage], None]
    camera_info: Callable[[CameraInfo], None]
    depth: Callable[[Image | DisparityImage], None]
    lost: Callable[[int], None]  # images that the transport lost
    # a sentence about what went wrong: a publisher whose QoS does not fit, a message that broke its receiver
    report: Callable[[str], None]


class Inputs:
    """The subscriptions of an active node."""

    def __init__(self, node: Node, value: Callable[[str], Value], receivers: Receivers, group: CallbackGroup) -> None:
        self._node, self._value, self._receivers, self._group = node, value, receivers, group
        compressed = value("input_transport") == "compressed"
        self.image_topic = node.resolve_topic_name("image")
        if compressed and not self.image_topic.endswith(COMPRESSED):
            self.image_topic += COMPRESSED
        self._image_kind: type = CompressedImage if compressed else Image
        image, camera_info, depth = INPUTS
        self._subscriptions = [
            self._subscribe(image, self._image_kind, receivers.image, self.image_topic),
            self._subscribe(camera_info, CameraInfo, receivers.camera_info),
        ]
        if value("depth_source") != "none":
            self._subscriptions.append(
                self._subscribe(
                    depth, DisparityImage if value("depth_source") == "disparity" else Image, receivers.depth
                )
            )

    def silence(self) -> str:
        """Why no image may come: what the graph knows."""
        kind = f"sensor_msgs/msg/{self._image_kind.__name__}"
        offers = self._node.get_publishers_info_by_topic(self.image_topic)
        if any(offer.topic_type == kind for offer in offers):
            return f"{self.image_topic} has {len(offers)} publisher(s), but sends nothing that arrives"
        if offers:
            return f"{self.image_topic} is {offers[0].topic_type}, expected {kind}"
        others = [
            name
            for name, kinds in self._node.get_topic_names_and_types()
            if kind in kinds
            and self._node.count_publishers(name)
            and not name.startswith(self._node.resolve_topic_name("cups"))
        ]
        hint = f"; images are on {', '.join(others[:NAMED])}" if others else ""
        return f"nobody publishes {self.image_topic}{hint}"

    def close(self) -> None:
        """Destroy the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, topic: Topic, kind: type, receive: Callable[[Any], None], name: str | None = None) -> Any:
        resolved = name or self._node.resolve_topic_name(topic.topic)

        def misfit(status: Any) -> None:
            self._receivers.report(incompatible(resolved, status, "publisher"))

        def lost(status: Any) -> None:
            if topic.name == "image":
                self._receivers.lost(status.total_count_change)

        def take(message: Any) -> None:
            try:
                receive(message)
            except Exception as error:  # raised further it would end the process
                self._receivers.report(f"a message on {resolved} cannot be used: {type(error).__name__}: {error}")

        events = SubscriptionEventCallbacks(incompatible_qos=misfit, message_lost=lost, use_default_callbacks=False)
        return self._node.create_subscription(
            kind, resolved, take, qos(topic, self._value), event_callbacks=events, callback_group=self._group
        )
