"""Prints nothing: what the node's benchmarks share, a ROS domain of their own, the node as a child, a camera that also
reads the answers."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cups_ros.stamps import sec_nanosec, stamp_ns

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
LAST_S = 2.5  # for the last answers
DOMAINS = range(83, 100)  # tests take 30 to 64, the demo 65 to 82
_TAKEN: list[Any] = []  # locks, held until the process ends
IMAGES = ("answered", "dropped", "skipped", "malformed", "failed", "unasked")  # what becomes of them


def own_graph(profile: bool = True) -> None:
    """A ROS domain that no other benchmark of this machine is in, and room for images in shared memory; before rclpy is
    started."""
    os.environ["ROS_DOMAIN_ID"] = str(_free_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    if profile:
        os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config/fastdds_images.xml")
    else:
        os.environ.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)


def _free_domain() -> int:
    for domain in DOMAINS:
        lock = (Path(tempfile.gettempdir()) / f"cups_benchmark_domain_{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _TAKEN.append(lock)
        return domain
    raise SystemExit(f"each of the ROS domains {DOMAINS.start} to {DOMAINS.stop - 1} is taken by another benchmark")


@dataclass
class Child:
    """The node under test."""

    process: subprocess.Popen
    diary: dict[str, Any] = field(default_factory=dict)  # once it has ended


@contextmanager
def node(*arguments: str) -> Iterator[Child]:
    """Start benchmarks/node/under_test.py; its diary is there after the block."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "diary.json"
        command = [sys.executable, str(ROOT / "benchmarks/node/under_test.py"), "--out", str(out), *arguments]
        child = Child(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT))
        try:
            yield child
        finally:
            child.process.send_signal(signal.SIGINT)
            try:
                child.process.wait(30)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            child.diary = json.loads(out.read_text()) if out.exists() else {}


class Camera:
    """Publishes images whose stamp is the monotonic time of their publishing, and reads the answers."""

    def __init__(self, image: Any, topic: str = "/image") -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import qos_profile_sensor_data

        from cups_ros.msg import PanopticImage

        rclpy.init(args=[])
        self._rclpy, self.image = rclpy, image
        self.node = rclpy.create_node("camera")
        self.publisher = self.node.create_publisher(type(image), topic, qos_profile_sensor_data)
        self.latency_s: dict[int, float] = {}  # by stamp
        self.status: dict[str, str] = {}
        self.node.create_subscription(PanopticImage, "/cups/panoptic", self._answered, 10)
        self.node.create_subscription(
            DiagnosticArray,
            "/diagnostics",
            lambda m: self.status.update({v.key: v.value for v in m.status[0].values}),
            10,
        )

    def wait(self) -> None:
        """Until the node is active and connected."""
        end = time.monotonic() + START_S
        while self.publisher.get_subscription_count() == 0 or self.status.get("state") != "active":
            self.spin(0.1)
            if time.monotonic() > end:
                raise SystemExit(f"the node did not become active within {START_S:.0f} s: {self.status}")

    def run(self, rate_hz: float, seconds: float) -> int:
        """Publish at a rate; the number of images."""
        count, start = round(rate_hz * seconds), time.monotonic()
        for number in range(count):
            while (left := start + number / rate_hz - time.monotonic()) > 0:
                self._rclpy.spin_once(self.node, timeout_sec=left)
            self.publish()
        self.spin(LAST_S)
        return count

    def publish(self) -> None:
        stamp = self.image.header.stamp
        stamp.sec, stamp.nanosec = sec_nanosec(time.monotonic_ns())
        self.publisher.publish(self.image)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._rclpy.spin_once(self.node, timeout_sec=0.02)

    def close(self) -> None:
        self.node.destroy_node()
        self._rclpy.try_shutdown()

    def _answered(self, answer: Any) -> None:
        sent_ns = stamp_ns(answer.header)
        self.latency_s[sent_ns] = (time.monotonic_ns() - sent_ns) * 1e-9


def picture(height: int, width: int, transport: str = "raw") -> Any:
    """A coloured gradient with noise as a ROS message, raw bgr8 or JPEG."""
    from sensor_msgs.msg import CompressedImage, Image

    rows = (
        np.linspace(0, 255, height)[:, None, None] + np.linspace(0, 255, width)[None, :, None] + np.array([0, 40, 80])
    )
    pixels = cv2.add(
        (rows % 256).astype(np.uint8), np.random.default_rng(0).integers(0, 30, (height, width, 3), np.uint8)
    )
    if transport == "compressed":
        return CompressedImage(
            format="bgr8; jpeg compressed bgr8", data=array.array("B", cv2.imencode(".jpg", pixels)[1].tobytes())
        )
    return Image(encoding="bgr8", height=height, width=width, step=3 * width, data=array.array("B", pixels.tobytes()))


def percentiles(values: Any) -> tuple[float, float]:
    """p50 and p99 in milliseconds of seconds."""
    times = np.array(list(values) or [np.nan]) * 1e3
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))
