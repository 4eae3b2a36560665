"""An engine that neither answers nor fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from cups_ros.msg import PanopticImage

LIMIT_S = 240.0  # a loaded machine may take long; nothing here waits longer than it must
PROGRAM = """
import sys, time
from cups_ros.model import load_model
from cups_ros.panoptic_node import main

def load(folder, **kinds):
    model = load_model(folder, **kinds)
    model.start = lambda *_: time.sleep(1000)
    return model

parameters = {"model": sys.argv[1], "autostart": "true", "engine_timeout_s": "0.5"}
given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
sys.exit(main(["--ros-args", *given], load))
"""


def test_an_engine_that_hangs_ends_the_process(model_folder: Path) -> None:
    domain = 30 + (os.getpid() + 9) % 35
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    context = Context()
    patch = pytest.MonkeyPatch()
    patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init(args=[], context=context, domain_id=domain)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(model_folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peer = rclpy.create_node("peer", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(peer)
    peer.create_subscription(PanopticImage, "/cups/panoptic", lambda _: None, 1)
    images = peer.create_publisher(Image, "/image", 1)
    end = time.monotonic() + LIMIT_S
    try:
        while process.poll() is None and time.monotonic() < end:
            images.publish(Image(encoding="rgb8", width=96, height=64, step=288, data=bytes(64 * 288)))
            executor.spin_once(timeout_sec=0.1)
        assert process.wait(1) == 3
        assert "has not answered for 0.5 s" in process.communicate()[0]
    finally:
        process.kill()
        peer.destroy_node()
        context.try_shutdown()
        patch.undo()
