"""The node on this machine: images are published at a rate, every answer is timed by its stamp.

    make install && .venv/bin/python benchmarks/node.py runs/demo/model --rate 10 --size 640x1280 --seconds 20

Latency is from just before `publish` to the arrival of the answer in another process than the node's: transport there, work, transport back.
"""
from __future__ import annotations

import argparse
import array
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
START_S = 120.0


def main() -> int:
    """Print the figures as JSON; the exit code."""
    args = _arguments()
    os.environ.setdefault("ROS_DOMAIN_ID", str(30 + os.getpid() % 70))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    if args.profile:
        os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config/fastdds_images.xml")
    ros2 = shutil.which("ros2", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if ros2 is None:
        print("expected the command `ros2`, found none: `make install` brings it", file=sys.stderr)
        return 2
    words = ["launch", "cups_ros", "panoptic.launch.py", f"model:={args.model.resolve()}", "image:=/bench/image", f"transport:={args.transport}"]
    if not args.profile:
        words.append("dds_profile:=")
    node = subprocess.Popen([ros2, *words], stdout=subprocess.DEVNULL)
    try:
        figures = measure(args)
    finally:
        node.send_signal(signal.SIGINT)
        node.wait(30)
    print(json.dumps({"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores", "model": str(args.model),
                      "image": args.size, "transport": args.transport, "profile": args.profile, **figures}, indent=2))
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Publish for the time asked for; the figures."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.qos import qos_profile_sensor_data

    from cups_ros.msg import PanopticImage

    rclpy.init(args=[])
    peer = rclpy.create_node("bench")
    message = _message(args)
    topic = "/bench/image/compressed" if args.transport == "compressed" else "/bench/image"
    publisher = peer.create_publisher(type(message), topic, qos_profile_sensor_data)
    sent: dict[int, float] = {}
    latencies: list[float] = []
    status: dict[str, str] = {}
    peer.create_subscription(PanopticImage, "/cups/panoptic", lambda a: latencies.append(time.perf_counter() - sent[a.header.stamp.sec]), 10)
    peer.create_subscription(DiagnosticArray, "/diagnostics", lambda m: status.update({v.key: v.value for v in m.status[0].values}), 10)
    end = time.monotonic() + START_S
    while publisher.get_subscription_count() == 0 or status.get("state") != "active":
        rclpy.spin_once(peer, timeout_sec=0.1)
        if time.monotonic() > end:
            raise SystemExit(f"the node did not become active within {START_S:.0f} s: {status}")
    start = time.perf_counter()
    count = round(args.rate * args.seconds)
    for number in range(count):
        while (left := start + number / args.rate - time.perf_counter()) > 0:
            rclpy.spin_once(peer, timeout_sec=left)
        message.header.stamp.sec = number
        sent[number] = time.perf_counter()
        publisher.publish(message)
    end = time.monotonic() + 2.5  # the last answers and the last diagnostics
    while time.monotonic() < end:
        rclpy.spin_once(peer, timeout_sec=0.1)
    peer.destroy_node()
    rclpy.try_shutdown()
    times = 1e3 * np.array(latencies or [np.nan])
    return {"sent": count, "sent_hz": args.rate, "answered": len(latencies), "answered_hz": round(len(latencies) / args.seconds, 2),
            "latency_ms": {"p50": round(float(np.median(times)), 1), "p99": round(float(np.percentile(times, 99)), 1)},
            "node": {key: status.get(key, "") for key in ("engine", "received", "answered", "dropped", "lost", "malformed", "failed",
                                                          "latency_p50_ms", "latency_p99_ms")}}


def _message(args: argparse.Namespace) -> Any:
    from sensor_msgs.msg import CompressedImage, Image

    height, width = (int(side) for side in args.size.split("x"))
    rows = np.linspace(0, 255, height)[:, None, None] + np.linspace(0, 255, width)[None, :, None] + np.array([0, 40, 80])
    pixels = cv2.add((rows % 256).astype(np.uint8), np.random.default_rng(0).integers(0, 30, (height, width, 3), np.uint8))
    if args.transport == "compressed":
        return CompressedImage(format="bgr8; jpeg compressed bgr8", data=array.array("B", cv2.imencode(".jpg", pixels)[1].tobytes()))
    return Image(encoding="bgr8", height=height, width=width, step=3 * width, data=array.array("B", pixels.tobytes()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="exported model folder")
    parser.add_argument("--rate", type=float, default=10.0, help="images a second")
    parser.add_argument("--size", default="640x1280", help="height x width")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--transport", choices=("raw", "compressed"), default="raw")
    parser.add_argument("--no-profile", dest="profile", action="store_false", help="Fast DDS as it comes")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
