"""A program that reads detections and nothing else asks for them; then it compares notes with our own topics. Writes
down all it was told.

    python vision_consumer.py IMAGE.npy OUT.json       run by test_vision_msgs.py, in the environment of a built
        vision_msgs
"""

from __future__ import annotations

import array
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import LabelInfo as VisionLabelInfo

from cups_ros.msg import LabelInfo, PanopticImage

LIMIT_S = 240.0
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TOPICS = ("/cups/detections", "/cups/vision_label_info")


def main(picture: Path, out: Path) -> None:
    """Subscribe, send, write."""
    rclpy.init(args=[])
    node = rclpy.create_node("consumer")
    images = node.create_publisher(Image, "/image", 1)
    told: dict[str, list[Any]] = {}
    listen(node, told, Detection2DArray, "detections", 10)
    send(node, images, np.load(picture), 1, lambda: told.get("detections"))  # nobody asks for cups/panoptic
    told["detections"].clear()
    listen(node, told, PanopticImage, "panoptic", 10)
    listen(node, told, VisionLabelInfo, "vision_label_info", LATCHED)  # long after they were sent
    listen(node, told, LabelInfo, "label_info", LATCHED)
    stamped = ("detections", "panoptic")
    send(
        node,
        images,
        np.load(picture),
        2,
        lambda: len(told) == 4 and all(m.header.stamp.sec == 2 for name in stamped for m in told[name][-1:]),
    )
    set_score_threshold(node, 0.7)
    spin(node, lambda: told["vision_label_info"][-1].threshold > 0.6)
    offers = {
        topic: [policies(info.qos_profile) for info in node.get_publishers_info_by_topic(topic)] for topic in TOPICS
    }
    out.write_text(
        json.dumps(
            {"qos": offers, **{name: [plain(message) for message in messages] for name, messages in told.items()}}
        )
    )
    node.destroy_node()
    rclpy.try_shutdown()


def listen(node: Node, told: dict[str, list[Any]], kind: type, name: str, qos: Any) -> None:
    node.create_subscription(kind, f"/cups/{name}", lambda message: told.setdefault(name, []).append(message), qos)


def send(node: Node, images: Any, rgb: np.ndarray, second: int, done: Any) -> None:
    """Publish the picture with that stamp until what it is sent for has come."""
    height, width = rgb.shape[:2]
    message = Image(encoding="rgb8", height=height, width=width, step=3 * width, data=array.array("B", rgb.tobytes()))
    message.header.frame_id, message.header.stamp.sec, message.header.stamp.nanosec = "left_optical", second, 456
    spin(node, done, lambda: images.publish(message))


def set_score_threshold(node: Node, value: float) -> None:
    client = node.create_client(SetParameters, "/panoptic_node/set_parameters")
    spin(node, client.service_is_ready)
    parameter = Parameter(
        name="score_threshold", value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    )
    future = client.call_async(SetParameters.Request(parameters=[parameter]))
    spin(node, future.done)
    if not future.result().results[0].successful:
        raise SystemExit(future.result().results[0].reason)


def spin(node: Node, done: Any, doing: Any = lambda: None) -> None:
    """Work, and repeat `doing` every 0.2 s, until it is done."""
    end, again = time.monotonic() + LIMIT_S, 0.0
    while not done():
        if time.monotonic() > end:
            raise SystemExit("gave up")
        if time.monotonic() > again:
            doing()
            again = time.monotonic() + 0.2
        rclpy.spin_once(node, timeout_sec=0.02)


def policies(qos: QoSProfile) -> list[str]:
    return [qos.reliability.name, qos.durability.name]


def plain(value: Any) -> Any:
    """A message of any type as dictionaries, lists and numbers."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, (list, tuple, array.array, np.ndarray)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
