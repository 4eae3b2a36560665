"""Detections and classes as a program sees them that knows vision_msgs: two processes, the real transport, types built
by the real generators.

Where vision_msgs is not installed, the types of `vision_msgs_package` are built into build/vision_msgs (half a minute,
once).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "vision_msgs_package"
BUILD_LIMIT_S, LIMIT_S = 600.0, 300.0
Running = Callable[..., AbstractContextManager[Any]]
CAR_ID = "2"  # of the class, in the model and in LabelInfo
HASHES = {  # of the released package (4.1.1): they cover every field of every nested type
    "Detection2DArray": "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "LabelInfo": "RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
}


@pytest.fixture(scope="module")
def workspace() -> dict[str, str]:
    """Environment variables with which vision_msgs can be imported, like those of a sourced workspace."""
    if importlib.util.find_spec("vision_msgs"):
        return dict(os.environ)
    prefix = built()
    check_hashes(prefix)
    packages = next(prefix.rglob("vision_msgs/msg/__init__.py")).parents[2]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": f"{prefix / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        "PYTHONPATH": f"{packages}:{ROOT}",
    }


def built() -> Path:
    """Where the package is installed; it is built once for each state of its sources."""
    files = sorted(path for path in SOURCES.rglob("*") if path.is_file())
    state = hashlib.sha256(
        b"".join(path.name.encode() + path.read_bytes() for path in files) + sys.prefix.encode()
    ).hexdigest()[:12]
    prefix, work = ROOT / f"build/vision_msgs/{state}/install", ROOT / f"build/vision_msgs/{state}/work"
    done = prefix / "built"
    if not done.exists():
        variables = {"CMAKE_BUILD_TYPE": "Debug", "Python3_EXECUTABLE": sys.executable, "CMAKE_INSTALL_PREFIX": prefix}
        environment = {"CMAKE_PREFIX_PATH": sys.prefix, "AMENT_PREFIX_PATH": sys.prefix, **os.environ}
        for command in (
            ["cmake", "-S", SOURCES, "-B", work, *(f"-D{name}={value}" for name, value in variables.items())],
            ["cmake", "--build", work, "-j", str(len(os.sched_getaffinity(0)))],
            ["cmake", "--install", work],
        ):
            result = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_LIMIT_S, env=environment)
            assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        done.touch()
    return prefix


def check_hashes(prefix: Path) -> None:
    for name, expected in HASHES.items():
        described = json.loads((prefix / f"share/vision_msgs/msg/{name}.json").read_text())["type_hashes"]
        assert {row["type_name"]: row["hash_string"] for row in described}[f"vision_msgs/msg/{name}"] == expected


@pytest.fixture(scope="module")
def told(workspace: dict[str, str], two_cars_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All messages that the consumer got, by topic, from a node in another process."""
    folder = tmp_path_factory.mktemp("consumer")
    picture = np.zeros((128, 192, 3), np.uint8)  # twice the model's size
    picture[:64, :, 1] = 255
    picture[-8:, -12:, 0] = 255
    np.save(folder / "picture.npy", picture)
    environment = {
        **workspace,
        "ROS_DOMAIN_ID": str(30 + (os.getpid() + 20) % 35),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    values = (
        f"model:={two_cars_folder}",
        "autostart:=true",
        "engines:=onnxruntime-cpu",
        "threads:=1",
        "score_threshold:=0.3",
        "track:=true",
    )
    node = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cups_ros.panoptic_node",
            "--ros-args",
            *(part for value in values for part in ("-p", value)),
        ],
        env=environment,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        subprocess.run(
            [
                sys.executable,
                Path(__file__).parent / "vision_consumer.py",
                folder / "picture.npy",
                folder / "told.json",
            ],
            env=environment,
            cwd=folder,
            check=True,
            timeout=LIMIT_S,
        )
    finally:
        node.send_signal(signal.SIGINT)
        try:
            output = node.communicate(timeout=LIMIT_S)[0]
        finally:
            node.kill()
    assert node.returncode == 0 and "Traceback" not in output and "vision_msgs is not installed" not in output, output
    return dict(json.loads((folder / "told.json").read_text()))


def test_detections_are_what_the_maps_hold(told: dict[str, Any]) -> None:
    stamp = {"stamp": {"sec": 2, "nanosec": 456}, "frame_id": "left_optical"}
    found, answer = (
        next(message for message in told[name] if message["header"]["stamp"]["sec"] == 2)
        for name in ("detections", "panoptic")
    )
    assert found["header"] == answer["header"] == stamp
    instances = np.array(answer["instance_map"]["data"], np.uint8).view("<u2").reshape(128, 192)
    things = {row["instance_id"]: row for row in answer["segments"] if row["is_thing"]}
    assert len(found["detections"]) == len(things) == 2
    for detection, (instance, row) in zip(found["detections"], sorted(things.items()), strict=True):
        rows, columns = np.nonzero(instances == instance)
        (left, right), (top, bottom) = ((axis.min(), axis.max() + 1) for axis in (columns, rows))
        box = detection["bbox"]
        assert box["center"] == {"position": {"x": (left + right) / 2, "y": (top + bottom) / 2}, "theta": 0.0}
        assert (box["size_x"], box["size_y"]) == (right - left, bottom - top)
        (result,) = detection["results"]
        assert result["hypothesis"] == {"class_id": CAR_ID, "score": row["score"]}
        assert detection["header"] == stamp and detection["id"] == str(row["track_id"]) != "0"
    assert [round(d["results"][0]["hypothesis"]["score"], 3) for d in found["detections"]] == [0.8, 0.4]
    # columns 48..143, rows 32..95
    assert found["detections"][0]["bbox"]["center"]["position"] == {"x": 96.0, "y": 64.0}


def test_classes_are_latched_and_those_of_our_own_topic(told: dict[str, Any]) -> None:
    (own,), info = told["label_info"], told["vision_label_info"]
    for message in info:
        assert [(row["class_id"], row["class_name"]) for row in message["class_map"]] == list(
            zip(own["id"], own["name"], strict=True)
        )
    assert {str(row["class_id"]): row["class_name"] for row in info[0]["class_map"]} == {
        "1": "road",
        CAR_ID: "car",
        "3": "sky",
    }
    assert told["qos"] == {
        "/cups/detections": [["RELIABLE", "VOLATILE"]],
        "/cups/vision_label_info": [["RELIABLE", "TRANSIENT_LOCAL"]],
    }


def test_the_threshold_is_the_one_in_force_and_told_anew_when_it_changes(told: dict[str, Any]) -> None:
    assert [message["threshold"] for message in told["vision_label_info"]] == pytest.approx([0.3, 0.7])


@pytest.mark.skipif(importlib.util.find_spec("vision_msgs") is not None, reason="vision_msgs is installed")
def test_that_it_is_missing_is_told_once(running: Running, model_folder: Path, capfd: pytest.CaptureFixture) -> None:
    with running(model_folder) as graph:
        for transition in (
            graph.node.trigger_deactivate,
            graph.node.trigger_cleanup,
            graph.node.trigger_configure,
            graph.node.trigger_activate,
        ):
            transition()
        topics = {name for name, _ in graph.node.get_topic_names_and_types()}
        assert "/cups/panoptic" in topics and not {"/cups/detections", "/cups/vision_label_info"} & topics
    written = capfd.readouterr()
    assert (written.out + written.err).count("vision_msgs is not installed") == 1
