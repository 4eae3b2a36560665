"""What the node publishes: each message is made only while someone subscribes to it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from cups_ros import detections, messages
from cups_ros.colors import overlay
from cups_ros.depth import Located
from cups_ros.markers import markers_message
from cups_ros.msg import LabelInfo, PanopticImage
from cups_ros.settings import OUTPUTS, Topic, Value
from cups_ros.types import Classes, Panoptic

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

ANSWERS = ("panoptic", "semantic", "instance", "detections", "overlay")
LATCHED = ("label_info", "vision_label_info")


def qos(topic: Topic, value: Callable[[str], Value]) -> QoSProfile:
    """The QoS of a topic as the parameters say."""
    reliable = value(f"{topic.name}_reliability") == "reliable"
    latched = value(f"{topic.name}_durability") == "transient_local"
    return QoSProfile(
        depth=value(f"{topic.name}_depth"),
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def incompatible(name: str, status: Any, who: str) -> str:
    """One sentence about a peer whose QoS does not fit."""
    policy = str(qos_policy_name_from_kind(status.last_policy_kind)).lower()
    return (
        f"a {who} of {name} has another {policy} than this node: no messages pass; set the node's parameter for "
        f"the {policy} of that topic"
    )


class Outputs:
    """The publishers of a configured node."""

    def __init__(
        self, node: LifecycleNode, value: Callable[[str], Value], classes: Classes, report: Callable[[str], None]
    ) -> None:
        """`value` gives parameters, `report` takes sentences about subscribers whose QoS does not fit."""
        self._node, self._classes, self._report = node, classes, report
        self._vision: ModuleType | None = detections.vision_msgs()
        self._told_threshold: float | None = None
        kinds: dict[str, type] = {
            "panoptic": PanopticImage,
            "label_info": LabelInfo,
            "semantic": Image,
            "instance": Image,
            "markers": MarkerArray,
            "overlay": Image,
        }
        if self._vision is None:
            node.get_logger().info(detections.MISSING, once=True)
        else:
            kinds |= {"detections": self._vision.Detection2DArray, "vision_label_info": self._vision.LabelInfo}
        self._publishers = {
            topic.name: self._publisher(topic, kinds[topic.name], value) for topic in OUTPUTS if topic.name in kinds
        }

    def wants(self, name: str) -> bool:
        """Does someone subscribe to this output?"""
        return name in self._publishers and self._publishers[name].get_subscription_count() > 0

    def wanted(self) -> tuple[str, ...]:
        """Names of the outputs that someone subscribes to."""
        return tuple(name for name in self._publishers if self.wants(name))

    def asked(self, measured: bool) -> bool:
        """Does someone subscribe to any answer? Markers are one where segments are measured."""
        return any(self.wants(name) for name in ANSWERS) or (measured and self.wants("markers"))

    def announce(self, model: str, threshold: float, header: Header) -> None:
        """Publish the classes, and the score below which there are no instances."""
        self._publishers["label_info"].publish(messages.label_info_message(self._classes, model, header))
        self.announce_threshold(threshold, header)

    def announce_threshold(self, threshold: float, header: Header) -> None:
        """Publish the classes anew where their message holds the threshold, unless it is the one told last."""
        publisher = self._publishers.get("vision_label_info")
        if self._vision is not None and publisher is not None and threshold != self._told_threshold:
            self._told_threshold = threshold
            publisher.publish(detections.label_info_message(self._vision, self._classes, threshold, header))

    def panoptic(self, panoptic: Panoptic, header: Header) -> None:
        """Publish the answer itself."""
        if self.wants("panoptic"):
            self._publishers["panoptic"].publish(messages.panoptic_message(panoptic, header))

    def others(self, panoptic: Panoptic, image: np.ndarray, header: Header, alpha: float) -> None:
        """Publish the same for tools that know nothing of us: class map, instance map, detections, coloured picture.
        image: (H, W, 3)."""
        for name, pixels, encoding in (
            ("semantic", panoptic.class_id, "mono8"),
            ("instance", panoptic.instance_id, "mono16"),
        ):
            if self.wants(name):
                self._publishers[name].publish(messages.image_message(pixels, encoding, header))
        if self._vision is not None and self.wants("detections"):
            self._publishers["detections"].publish(detections.detections_message(self._vision, panoptic, header))
        if self.wants("overlay"):
            self._publishers["overlay"].publish(
                messages.image_message(overlay(image, panoptic, self._classes, alpha), "rgb8", header)
            )

    def located(self, found: tuple[Located, ...], header: Header) -> None:
        """Publish where the segments are."""
        self._publishers["markers"].publish(markers_message(found, self._classes, header))

    def close(self) -> None:
        """Destroy the publishers."""
        for name, publisher in self._publishers.items():
            (self._node.destroy_publisher if name in LATCHED else self._node.destroy_lifecycle_publisher)(publisher)
        self._publishers.clear()

    def _publisher(self, topic: Topic, kind: type, value: Callable[[str], Value]) -> Any:
        """Latched topics are published at once, the others only while the node is active."""
        events = PublisherEventCallbacks(
            incompatible_qos=lambda status: self._report(incompatible(topic.topic, status, "subscriber")),
            use_default_callbacks=False,
        )
        create = self._node.create_publisher if topic.name in LATCHED else self._node.create_lifecycle_publisher
        return create(kind, topic.topic, qos(topic, value), event_callbacks=events)
