"""What the node publishes for a recording is what `cups-train predict` writes for it, bit for bit, with the header of
the image."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.decoding import panoptic_from
from cups_train.cli import main
from cups_train.folders.results import rgb_to_ids

Running = Callable[..., AbstractContextManager[Any]]
HEIGHT, WIDTH, FRAMES = 90, 150, 5  # neither the size nor the shape of the network's input
TOPIC = "/camera/image_rect"


def pictures() -> list[np.ndarray]:
    """Blurred noise, from frame to frame another; every second one without red: no car."""
    found = []
    for number in range(FRAMES):
        noise = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        rgb = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)
        if number % 2:
            rgb[..., 0] = 0
        found.append(rgb)
    return found


def write_recording(path: Path, compressed: bool) -> None:
    """One rectified camera: bgr8 with padded rows, or JPEG."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kinds = store.types
    name = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(TOPIC + "/compressed" * compressed, name, typestore=store)
        for number, rgb in enumerate(pictures()):
            header = kinds["std_msgs/msg/Header"](
                kinds["builtin_interfaces/msg/Time"](5, 100_000_000 * number), "left_optical"
            )
            bgr = np.ascontiguousarray(rgb[..., ::-1])
            if compressed:
                message = kinds[name](header, "bgr8; jpeg compressed bgr8", cv2.imencode(".jpg", bgr)[1].ravel())
            else:
                rows = np.pad(bgr.reshape(HEIGHT, -1), ((0, 0), (0, 6)))
                message = kinds[name](header, HEIGHT, WIDTH, "bgr8", 0, rows.shape[1], rows.ravel())
            writer.write(connection, 10**9 * 5 + 100_000_000 * number, store.serialize_cdr(message, name))


@pytest.mark.parametrize("compressed", [False, True])
def test_every_pixel_and_segment(running: Running, model_folder: Path, tmp_path: Path, compressed: bool) -> None:
    write_recording(tmp_path / "recording", compressed)
    topic = TOPIC + "/compressed" * compressed
    assert (
        main(
            [
                "predict",
                str(model_folder),
                str(tmp_path / "recording"),
                "--out",
                str(tmp_path / "result"),
                "--left",
                topic,
            ]
        )
        == 0
    )
    kind = CompressedImage if compressed else Image
    answers = []
    with running(model_folder, input_transport="compressed" if compressed else "raw") as graph:
        graph.listen()
        graph.images = graph.peer.create_publisher(kind, "/image" + "/compressed" * compressed, 1)
        with Reader(tmp_path / "recording") as reader:
            for _, _, raw in reader.messages():
                answers.append(graph.ask(deserialize_message(bytes(raw), kind)))
    tree = json.loads((tmp_path / "result" / "panoptic.json").read_text())
    assert len(tree["annotations"]) == len(answers) == FRAMES
    for annotation, answer in zip(tree["annotations"], answers, strict=True):
        check(tmp_path / "result" / "panoptic" / annotation["file_name"], annotation["segments_info"], answer)
    assert len({answer.class_map.data.tobytes() for answer in answers}) == FRAMES
    assert {len([s for s in answer.segments if s.is_thing]) for answer in answers} == {0, 1}


def test_unknown_objects(running: Running, unknown_folder: Path, tmp_path: Path) -> None:
    """The node and predict show them alike: a crowd of the class that label info explains, with nothing to track."""
    write_recording(tmp_path / "recording", False)
    assert (
        main(
            [
                "predict",
                str(unknown_folder),
                str(tmp_path / "recording"),
                "--out",
                str(tmp_path / "result"),
                "--left",
                TOPIC,
            ]
        )
        == 0
    )
    tree = json.loads((tmp_path / "result" / "panoptic.json").read_text())
    assert tree["categories"][3] == {
        "id": 4,
        "name": "unknown object",
        "isthing": 1,
        "color": [200, 100, 0],
        "unknown": 1,
    }
    answers = []
    with running(unknown_folder, track=True) as graph, Reader(tmp_path / "recording") as reader:
        graph.listen()
        for _, _, raw in reader.messages():
            answers.append(graph.ask(deserialize_message(bytes(raw), Image)))
    for annotation, answer in zip(tree["annotations"], answers, strict=True):
        check(tmp_path / "result" / "panoptic" / annotation["file_name"], annotation["segments_info"], answer)
        assert [row["category_id"] for row in annotation["segments_info"] if row["iscrowd"]] == [4]
        assert [(s.is_thing, s.track_id) for s in answer.segments if s.class_id == 4 and s.instance_id == 0] == [
            (True, 0)
        ]


def check(png: Path, rows: list[dict[str, Any]], answer: Any) -> None:
    """The result's picture and rows against the answer: class and instance of every pixel, the rows' scores."""
    ids = rgb_to_ids(cv2.imread(str(png))[..., ::-1])
    found, kinds = panoptic_from(answer), {0: 0} | {row["id"]: row["category_id"] for row in rows}
    assert (found.class_id == np.vectorize(kinds.get)(ids)).all()
    pairs = set(
        zip(
            ids[found.class_id > 0].tolist(),
            zip(
                found.class_id[found.class_id > 0].tolist(), found.instance_id[found.class_id > 0].tolist(), strict=True
            ),
            strict=True,
        )
    )
    assert (
        len(pairs)
        == len(rows)
        == len({pair[0] for pair in pairs})
        == len({pair[1] for pair in pairs})
        == len(found.segments)
    )
    scores = {(s.class_id, s.instance_id): s.score for s in found.segments if s.is_thing}
    for number, (kind, instance) in pairs:
        row = next(row for row in rows if row["id"] == number)
        assert "score" not in row or not instance or row["score"] == pytest.approx(scores[kind, instance], abs=1e-4)
    assert (
        answer.header.frame_id == "left_optical"
        and answer.header == answer.class_map.header == answer.instance_map.header
    )
