"""The launched node with a real model: what it answers, not merely that it answers."""

from __future__ import annotations

import array
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.msg import LabelInfo, PanopticImage


@pytest.fixture(scope="module")
def peer(local_only: None, model_folder: Path, launching: Any) -> Iterator[Any]:
    domain = 30 + os.getpid() % 35
    process = launching.start(domain, "image:=/camera/image", f"model:={model_folder}")
    peer = launching.Peer(domain, process)
    peer.until(lambda: peer.status and {i.key: i.value for i in peer.status[-1].values}["state"] == "active")
    yield peer
    peer.close()
    if process.poll() is None:
        launching.stop(process, signal.SIGINT)


def test_answer_has_header_size_and_ids(peer: Any, street: Any) -> None:
    street.check_answer(peer.answers(street.image()))


def test_label_info_is_latched(peer: Any) -> None:
    got: list[LabelInfo] = []
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = peer.node.create_subscription(LabelInfo, "/cups/label_info", got.append, late)
    peer.until(lambda: got)
    peer.node.destroy_subscription(subscription)
    assert (list(got[0].id), got[0].name, got[0].is_thing) == ([1, 2, 3], ["road", "car", "sky"], [False, True, False])
    assert list(got[0].color) == [128, 64, 128, 0, 0, 142, 70, 130, 180] and got[0].model == "tiny"


def test_overlay_has_header_size_and_colours(peer: Any, street: Any) -> None:
    answer = peer.answers(street.image(), Image, "/cups/overlay")
    assert (answer.encoding, answer.height, answer.width) == ("rgb8", 128, 192)
    assert (answer.header.frame_id, answer.header.stamp.nanosec) == ("left_optical", 456)
    rgb = np.frombuffer(answer.data, np.uint8).reshape(128, 192, 3)
    assert np.abs(rgb[10, 10].astype(int) - [64, 160, 64]).max() <= 1  # half green, half road
    assert rgb[32, 60].tolist() == [255, 255, 255]  # outline of the car


def test_no_answer_is_made_when_nobody_asks(peer: Any, street: Any) -> None:
    peer.until(lambda: int(peer.values()["unasked"]) > 0, lambda: peer.publishers[Image].publish(street.image()))


def test_malformed_image_is_counted_and_survived(peer: Any, street: Any) -> None:
    bad = street.image()
    bad.step = 10
    answers: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", answers.append, 1)
    peer.until(lambda: int(peer.values()["malformed"]) > 0, lambda: peer.publishers[Image].publish(bad))
    peer.node.destroy_subscription(subscription)
    assert answers == []
    assert (
        any(s.level == DiagnosticStatus.ERROR and "step is 10 bytes" in s.message for s in peer.status)
        or "step is 10 bytes" in peer.values()["last_error"]
    )
    street.check_answer(peer.answers(street.image()))


def test_every_image_is_accounted_for(peer: Any, street: Any) -> None:
    answers: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", answers.append, 100)
    peer.until(lambda: answers, lambda: peer.publishers[Image].publish(street.image()))
    for _ in range(40):
        peer.publishers[Image].publish(street.image())
    peer.spin(1.0)
    values = peer.values()
    peer.node.destroy_subscription(subscription)
    counts = {name: int(values[name]) for name in ("received", "answered", "dropped", "malformed", "failed", "unasked")}
    assert counts["received"] == sum(number for name, number in counts.items() if name != "received"), counts
    assert (
        float(values["latency_p50_ms"]) > 0
        and float(values["rate_hz"]) > 0
        and values["engine"].startswith("onnxruntime")
    )


def test_wrong_transition_is_refused_and_parameters_are_checked(peer: Any) -> None:
    assert peer.change(1) is False  # configure, but it is active
    refused = peer.set_parameter("input_transport", "theora")
    assert not refused.successful and "expected one of raw, compressed" in refused.reason
    assert peer.state() == "active"


def test_deactivate_silences_and_compressed_images_follow_the_parameter(peer: Any, street: Any) -> None:
    assert peer.change(4) and peer.state() == "inactive"  # the launch file must not activate it again
    got: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 1)
    for _ in range(5):
        peer.publishers[Image].publish(street.image())
        peer.spin(0.1)
    assert not got and peer.set_parameter("input_transport", "compressed").successful and peer.change(3)
    peer.node.destroy_subscription(subscription)
    png = cv2.imencode(".png", street.picture()[..., ::-1])[1].tobytes()
    street.check_answer(
        peer.answers(
            CompressedImage(
                header=street.image().header, format="bgr8; png compressed bgr8", data=array.array("B", png)
            )
        )
    )


def test_killed_node_is_started_anew_and_answers_again(peer: Any, street: Any) -> None:
    values = peer.values()
    assert values["state"] == "active"
    for path in Path("/proc").glob("[0-9]*/cmdline"):  # the launch's child, in a session of its own
        if (
            path.parent.joinpath("stat").exists()
            and parent_of(path.parent) == peer.process.pid
            and b"panoptic_node" in path.read_bytes()
        ):
            os.kill(int(path.parent.name), signal.SIGKILL)
    begun = time.monotonic()
    late = street.image()
    late.header.stamp.sec = 9
    got: list[PanopticImage] = []
    subscription = peer.node.create_subscription(PanopticImage, "/cups/panoptic", got.append, 1)
    peer.until(
        lambda: any(answer.header.stamp.sec == 9 for answer in got), lambda: peer.publishers[Image].publish(late)
    )
    peer.node.destroy_subscription(subscription)
    print(f"answers again after {time.monotonic() - begun:.1f} s")
    street.check_map(got[-1])


def parent_of(process: Path) -> int:
    return int(process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])


def test_interrupt_ends_the_node_cleanly(peer: Any, launching: Any) -> None:
    output = launching.stop(peer.process, signal.SIGINT)
    assert "exit code 0" in output or "finished cleanly" in output, output
    assert "Traceback" not in output, output
