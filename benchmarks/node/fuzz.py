"""Prints what became of 101,000 malformed messages: answered, counted or refused with a sentence; the node never ends.

    .venv/bin/python benchmarks/node/fuzz.py                      # 100,000 by the callback, 1,000 over the transport
    .venv/bin/python benchmarks/node/fuzz.py --direct 5000 --dds 200

Wrong step, size and encoding, 0x0, 16k x 16k, stamps that go back, sizes that change, truncated and damaged JPEG and
PNG, calibrations and depth images of nonsense, and sound images in between: those have to be answered. The model is
small and real.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from benchmarks.node.camera import IMAGES, own_graph
from benchmarks.node.malformed import Malformed, sound

ROOT = Path(__file__).resolve().parents[2]
SOUND_EVERY = 10
DEPTH_EVERY, CALIBRATION_EVERY = 7, 11


def main() -> int:
    """Run both ways; 1 where the node did not survive, or its account is wrong."""
    args = _arguments()
    own_graph()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or _tiny(Path(folder) / "model")
        good = [
            _run(model, count, way, args.seed)
            for count, way in ((args.direct, _direct), (args.dds, _over_dds))
            if count
        ]
    print(f"passed={'yes' if all(good) else 'no'} direct={args.direct} dds={args.dds}")
    return int(not all(good))


class Spun:
    """The node under test, spun in a thread of its own."""

    def __init__(self, model: Path) -> None:
        from rclpy.logging import LoggingSeverity
        from rclpy.parameter import Parameter

        from cups_ros.guarding import Spinning
        from cups_ros.panoptic_node import PanopticNode

        values = {
            "model": str(model),
            "engines": "onnxruntime-cpu",
            "threads": 1,
            "autostart": True,
            "track": True,
            "depth_source": "disparity",
        }
        self.node = PanopticNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
        self.node.get_logger().set_level(LoggingSeverity.FATAL)
        self.ended: list[BaseException | None] = []  # by what; None: as it should
        self._spinning = Spinning(self.node, self.node.inputs_group)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        try:
            self._spinning.spin()
            self.ended.append(None)
        except ExternalShutdownException:
            self.ended.append(None)
        except BaseException as error:  # what would have ended the process
            self.ended.append(error)

    def close(self) -> None:
        """End the node and ROS."""
        import rclpy

        self._spinning.shutdown()
        self.node.close()
        rclpy.try_shutdown()
        self._thread.join()


def _run(model: Path, count: int, way: Callable[..., int], seed: int) -> bool:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from visualization_msgs.msg import MarkerArray

    from cups_ros.msg import PanopticImage

    rclpy.init(args=[])
    spun = Spun(model)
    node = spun.node
    peer = rclpy.create_node("peer")
    ears = SingleThreadedExecutor()
    ears.add_node(peer)
    answers: list[int] = []
    peer.create_subscription(PanopticImage, "/cups/panoptic", lambda a: answers.append(a.header.stamp.sec), 100)
    peer.create_subscription(MarkerArray, "/cups/markers", lambda _: None, 1)  # else no depth is taken
    _until(lambda: node.snapshot().state == "active" and {"panoptic", "markers"} <= {*node.snapshot().wanted}, ears)
    begun = time.monotonic()
    try:
        sounds = way(node, peer, ears, count, seed)
        _until(lambda: node.snapshot().idle, ears)
        _until(lambda: any(stamp >= 1000 for stamp in answers), ears)
        died = bool(spun.ended)
    finally:
        peer.destroy_node()
        spun.close()
    print(
        f"{way.__name__.strip('_')}: {count} messages in {time.monotonic() - begun:.0f} s, {sounds} sound ones; ",
        end="",
    )
    return _account(node.snapshot(), died) and not any(spun.ended)


def _account(end: Any, died: bool) -> bool:
    """Print what became of the images; whether every one is accounted for and the node lived."""
    counts = vars(end.counts)
    exact = counts["received"] == sum(counts[name] for name in IMAGES)
    print(
        ", ".join(f"{name} {number}" for name, number in counts.items() if number)
        + f"; exact={'yes' if exact else 'no'} died={'yes' if died else 'no'}; last sentence: {end.last_error}",
        flush=True,
    )
    return exact and not died


def _direct(node: Any, peer: Any, ears: Any, count: int, seed: int) -> int:
    """By the callbacks themselves, one message after the other is through."""
    malformed, sounds = Malformed(seed), 0
    for number in range(count):
        if number % SOUND_EVERY == 0:
            node.on_image(sound(sounds))
            sounds += 1
        else:
            node.on_image(malformed.raw() if number % 2 else malformed.compressed())
        if number % CALIBRATION_EVERY == 0:
            node.on_camera_info(malformed.camera_info())
        if number % DEPTH_EVERY == 0:
            node.on_depth(malformed.disparity())
        while not node.snapshot().idle:
            time.sleep(1e-4)
        if number % 1000 == 0:
            ears.spin_once(timeout_sec=0)
            if number % 20000 == 0:
                print(f"  {number} of {count}, {node.snapshot().counts.malformed} malformed", flush=True)
    return sounds


def _over_dds(node: Any, peer: Any, ears: Any, count: int, seed: int) -> int:
    """Over the transport, as a broken driver would."""
    from sensor_msgs.msg import CameraInfo, Image
    from stereo_msgs.msg import DisparityImage

    malformed, sounds = Malformed(seed + 1), 0
    images, infos, depths = (
        peer.create_publisher(kind, topic, 5)
        for kind, topic in ((Image, "/image"), (CameraInfo, "/camera_info"), (DisparityImage, "/depth"))
    )
    _until(lambda: images.get_subscription_count() > 0, ears)
    for number in range(count):
        if number % SOUND_EVERY == 0:
            images.publish(sound(sounds))
            sounds += 1
        else:
            images.publish(malformed.raw())
        if number % CALIBRATION_EVERY == 0:
            infos.publish(malformed.camera_info())
        if number % DEPTH_EVERY == 0:
            depths.publish(malformed.disparity())
        before = node.snapshot().counts.received
        end = time.monotonic() + 0.05
        while node.snapshot().counts.received == before and time.monotonic() < end:
            ears.spin_once(timeout_sec=0.001)
    images.publish(sound(sounds))
    return sounds + 1


def _until(condition: Callable[[], Any], ears: Any) -> None:
    end = time.monotonic() + 120
    while not condition() and time.monotonic() < end:
        ears.spin_once(timeout_sec=0.02)


def _tiny(folder: Path) -> Path:
    """A small network with random weights, as it is exported."""
    from benchmarks.models.engine import CLASSES, export
    from cups_train.config import ExportConfig, NetworkConfig
    from cups_train.network import build_network, make_spec

    settings = NetworkConfig(
        backbone="resnet18-half",
        channels=16,
        hidden=32,
        mask_convs=1,
        semantic_channels=16,
        proposals=16,
        detections=8,
        height=64,
        width=96,
    )
    return export(build_network(make_spec(settings, CLASSES, [(64, 96)]), seed=1).eval(), folder, ExportConfig())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--direct", type=int, default=100_000, help="messages by the callback")
    parser.add_argument("--dds", type=int, default=1000, help="messages over the transport")
    parser.add_argument(
        "--model", type=Path, default=None, help="exported model folder; none: a small network with random weights"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    cv2.setNumThreads(1)
    raise SystemExit(main())
