"""What the active node hears: images, calibrations and depth, and what it says where they do not fit."""

from __future__ import annotations

import array
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from stereo_msgs.msg import DisparityImage
from visualization_msgs.msg import Marker, MarkerArray

from cups_ros.model import load_model
from cups_ros.msg import PanopticImage
from cups_ros.rectification import rectify

LIMIT_S = 240.0  # a loaded machine may take long; nothing here waits longer than it must
HEIGHT, WIDTH = 64, 96
Running = Callable[..., AbstractContextManager[Any]]


def camera_info(d: tuple[float, ...] = (0.0,) * 5) -> CameraInfo:
    k = [100.0, 0.0, 47.5, 0.0, 100.0, 31.5, 0.0, 0.0, 1.0]
    return CameraInfo(
        height=HEIGHT,
        width=WIDTH,
        distortion_model="plumb_bob",
        d=list(d),
        k=k,
        r=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
        p=[100.0, 0, 47.5, 0, 0, 100.0, 31.5, 0, 0, 0, 1.0, 0],
    )


def test_other_quality_of_service_and_silence_are_told(running: Running, model_folder: Path) -> None:
    with running(
        model_folder, image_reliability="reliable", stale_after_s=0.5, panoptic_reliability="best_effort"
    ) as graph:
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        graph.peer.create_publisher(Image, "/image", best_effort)
        graph.told("a publisher of /image has another reliability than this node")
        graph.peer.create_subscription(PanopticImage, "/cups/panoptic", lambda _: None, 1)
        graph.told("a subscriber of cups/panoptic has another reliability than this node")
        graph.told("no image for")
        graph.told("/image has 2 publisher(s), but sends nothing that arrives")


def test_wrong_topic_is_told_with_those_that_have_images(running: Running, model_folder: Path) -> None:
    with running(model_folder, stale_after_s=0.5, input_transport="compressed") as graph:
        graph.told("nobody publishes /image/compressed")
        assert graph.node.set_parameters([Parameter("input_transport", value="raw")])[0].successful
        graph.node.trigger_deactivate()
        graph.node.trigger_activate()
        graph.listen()
        graph.ask(graph.image(1))


def test_unrectified_camera_is_rectified_or_told_once(running: Running, model_folder: Path) -> None:
    bent = camera_info((-0.4, 0.1, 0.0, 0.0, 0.0))
    with running(model_folder) as graph:
        graph.listen()
        graph.until(lambda: graph.node.snapshot().last_error, lambda: graph.infos.publish(bent))
        assert "images on /image are not rectified by their camera_info" in graph.node.snapshot().last_error
        plain = graph.ask(graph.image(1))
        graph.node.trigger_deactivate()
        assert graph.set(rectify=True)
        graph.node.trigger_activate()
        graph.until(lambda: int(graph.values()["malformed"]) > 0, lambda: graph.images.publish(graph.image(2)))
        assert "expected a camera_info to rectify with" in graph.values()["last_error"]
        graph.until(lambda: graph.node.snapshot().lens is not None, lambda: graph.infos.publish(bent))
        straight = graph.ask(graph.image(3))
        expected = load_model(model_folder).infer(rectify(graph.picture(), graph.node.snapshot().lens))
        assert (np.frombuffer(straight.class_map.data, np.uint8).reshape(HEIGHT, WIDTH) == expected.class_id).all()
        assert plain.class_map.data != straight.class_map.data
        # now rectified: taken as it is
        graph.until(lambda: not any(graph.node.snapshot().lens.d), lambda: graph.infos.publish(camera_info()))
        assert graph.ask(graph.image(4)).class_map.data == plain.class_map.data


@pytest.mark.parametrize("source", ["disparity", "depth"])
def test_segments_are_placed_in_metres(running: Running, model_folder: Path, source: str) -> None:
    with running(model_folder, depth_source=source, track=True) as graph:
        markers = graph.listen(MarkerArray, "/cups/markers")
        kind = DisparityImage if source == "disparity" else Image
        depths = graph.peer.create_publisher(kind, "/depth", 5)
        graph.until(lambda: graph.node.snapshot().lens is not None, lambda: graph.infos.publish(camera_info()))
        header = graph.image(5_000_000_000).header
        if source == "disparity":  # 5 px at f = 100 px and b = 0.5 m: 10 m
            flat = Image(
                encoding="32FC1",
                height=HEIGHT,
                width=WIDTH,
                step=4 * WIDTH,
                data=array.array("B", np.full((HEIGHT, WIDTH), 5, "<f4").tobytes()),
            )
            depth = DisparityImage(header=header, image=flat, f=100.0, t=0.5, min_disparity=0.5, max_disparity=64.0)
        else:
            depth = Image(
                header=header,
                encoding="16UC1",
                height=HEIGHT,
                width=WIDTH,
                step=2 * WIDTH,
                data=array.array("B", np.full((HEIGHT, WIDTH), 10000, "<u2").tobytes()),
            )

        def both() -> None:
            depths.publish(depth)
            graph.images.publish(graph.image(5_010_000_000))  # 10 ms apart

        graph.until(lambda: markers, both)
        found = {(m.ns, m.text or m.type): m for m in markers[-1].markers if m.action == Marker.ADD}
        box = found["things", Marker.CUBE]  # columns 24..71, rows 16..47 of a plane at 10 m
        assert (box.pose.position.x, box.pose.position.y, box.pose.position.z) == pytest.approx(
            (0.0, 0.0, 10.0), abs=0.06
        )
        assert box.scale.x == pytest.approx(4.7 * 0.9, abs=0.15) and box.scale.y == pytest.approx(3.1 * 0.9, abs=0.15)
        assert box.header.frame_id == "left_optical" and ("things_text", "car #1 10.0 m") in found
        assert int(graph.values()["measured"]) > 0
