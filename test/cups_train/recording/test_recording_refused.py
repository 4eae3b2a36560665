"""Each thing a user can mend gives one sentence that says what was found."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import open_images, open_recording
from cups_train.recording.bag import list_topics

PLAIN = RecordingConfig()


def _fails(path, text, config=PLAIN):
    with pytest.raises(RecordingError, match=text) as caught:
        list(open_recording(path, config).frames())
    assert "\n" not in str(caught.value)


@pytest.fixture
def good(bags):
    return bags.write(bags.stereo(bags.steady(3)))


def test_path_missing(tmp_path):
    _fails(tmp_path / "nowhere", "found no .*nowhere")


def test_empty_folder(tmp_path):
    _fails(tmp_path, "expected a rosbag2 folder with metadata.yaml")


def test_file_of_another_kind(tmp_path):
    for name, text in (("a.txt", "found .*a.txt$"), ("a.bag", "ROS 1.*rosbags-convert")):
        (tmp_path / name).write_text("x")
        _fails(tmp_path / name, text)
    (tmp_path / "b.mcap").write_bytes(b"not an MCAP file at all, but long enough")
    _fails(tmp_path / "b.mcap", "expected an MCAP file")
    (tmp_path / "c.db3").write_bytes(b"")
    _fails(tmp_path / "c.db3", "found an empty file")


def test_metadata_missing(good):
    (good / "metadata.yaml").unlink()
    _fails(good, "expected metadata.yaml .*drive.mcap itself.*ros2 bag reindex")


@pytest.mark.parametrize(
    "text", ["", "[1, 2", "rosbag2_bagfile_information: {version: 9}", "just words", "rosbag2_bagfile_information: []"]
)
def test_metadata_damaged(good, text):
    (good / "metadata.yaml").write_text(text)
    _fails(good, "expected rosbag2 metadata in .*metadata.yaml.*reindex")


def test_metadata_of_the_future(good):
    (good / "metadata.yaml").write_text((good / "metadata.yaml").read_text().replace("version: 9", "version: 12"))
    _fails(good, "version 9 or older, found 12")


def test_storage_file_missing(good):
    (good / "drive.mcap").unlink()
    _fails(good, "expected drive.mcap beside metadata.yaml")


@pytest.mark.parametrize("keep", [20, 0.5, 0.99])
def test_mcap_cut_off(good, keep):
    file = good / "drive.mcap"
    data = file.read_bytes()
    file.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    _fails(good, "cut off")
    _fails(file, "cut off")


def test_sqlite_cut_off(bags):
    path = bags.write(bags.stereo(bags.steady(8)), storage=StoragePlugin.SQLITE3)
    file = path / "drive.db3"
    file.write_bytes(file.read_bytes()[:30000])
    _fails(path, "expected a readable recording")


def test_damaged_in_the_middle(good):
    file = good / "drive.mcap"
    data = bytearray(file.read_bytes())
    data[5000:16000] = b"\xff" * 11000  # longer than one message
    file.write_bytes(bytes(data))
    _fails(good, "expected a message at offset .* found another record; copy it again")


def test_no_messages(bags):
    path = bags.write([])
    _fails(path, "expected messages in .*found none")


def test_no_image_topic(bags):
    rows = [row for row in bags.stereo(bags.steady(2)) if row.topic.endswith("camera_info")]
    _fails(bags.write(rows), "found no image topic .*camera_info")


def test_one_camera_only(bags):
    rows = [row for row in bags.stereo(bags.steady(2)) if "left" in row.topic]
    _fails(bags.write(rows), "found one camera, /stereo/left/image_raw.*--right")


def test_no_camera_info(bags):
    _fails(bags.write(bags.stereo(bags.steady(2), infos=False)), "expected a camera_info of .*found none .*--left-info")


def test_camera_info_of_one_side_only(bags):
    rows = [row for row in bags.stereo(bags.steady(2)) if row.topic != "/stereo/right/camera_info"]
    _fails(bags.write(rows), "expected a camera_info of /stereo/right/image_raw")


def test_uncalibrated(bags):
    rows = [
        replace(row, message=bags.info(False, p=np.zeros(12), k=np.zeros(9)))
        if row.topic.endswith("camera_info")
        else row
        for row in bags.stereo(bags.steady(2))
    ]
    _fails(bags.write(rows), "camera_info")


def test_no_baseline(bags):
    rows = [
        replace(row, message=bags.info(False)) if row.topic.endswith("camera_info") else row
        for row in bags.stereo(bags.steady(2))
    ]
    _fails(bags.write(rows), r"expected a baseline in P.*found P\[3\] = 0")


def test_swapped(good):
    config = RecordingConfig(left="/stereo/right/image_raw", right="/stereo/left/image_raw")
    _fails(good, "left and right are swapped", config)


def test_sizes_that_differ(bags):
    small = [
        replace(row, message=bags.raw(bags.pair(0)[1][:40, :48], row.log_ns))
        if row.topic == "/stereo/right/image_raw"
        else replace(row, message=bags.info(True, height=40, width=48))
        if row.topic == "/stereo/right/camera_info"
        else row
        for row in bags.stereo(bags.steady(2))
    ]
    _fails(
        bags.write(small, "both"),
        "one size, found 64x48 on /stereo/left/image_raw and 48x40 on /stereo/right/image_raw",
    )
    wrong = [
        replace(row, message=bags.info("right" in row.topic, height=96, width=128))
        if row.topic.endswith("camera_info")
        else row
        for row in bags.stereo(bags.steady(2))
    ]
    _fails(bags.write(wrong, "info"), "images of 128x96 .*found 64x48")


def test_size_that_changes(bags):
    rows = bags.stereo(bags.steady(3))
    for row in rows:
        if row.topic == "/stereo/left/image_raw" and row.log_ns > bags.start:
            row.message.height = 24
    _fails(
        bags.write(rows),
        f"expected images of 64x48 on /stereo/left/image_raw, found 64x24 at stamp {bags.start + bags.step} ns",
    )


def test_undecodable_image(bags):
    rows = bags.stereo(bags.steady(3))
    for row in rows:
        if row.topic == "/stereo/right/image_raw" and row.log_ns == bags.start + bags.step:
            row.message.encoding = "jello8"
    _fails(bags.write(rows), f"/stereo/right/image_raw at stamp {bags.start + bags.step} ns.*jello8")


def test_no_pairs_and_one_pair(bags):
    far = [stamp + 40_000_000 for stamp in bags.steady(3)]
    _fails(
        bags.write(bags.stereo(bags.steady(3), far), "far"), "at most 15 ms apart.*nearest 40.0 ms apart.*pair_slop_ms"
    )
    _fails(bags.write(bags.stereo(bags.steady(1)), "one"), "found only one stereo pair")
    _fails(bags.write(bags.stereo([0, 0, 0], logs=bags.steady(3)), "unstamped"), "found 0 in every message")


def test_key_that_is_not_there(good):
    opened = open_recording(good, PLAIN)
    for key in ("000003", "abc", "-1"):
        with pytest.raises(RecordingError, match=f"expected a frame {key}.*from 000000 to 000002"):
            opened.left(key)


def test_file_compression_is_refused(good):
    text = (good / "metadata.yaml").read_text().replace("compression_mode: ''", "compression_mode: file")
    (good / "metadata.yaml").write_text(text)
    _fails(good, "zstd -d")


def test_changed_after_opening(bags):
    path = bags.write(bags.stereo(bags.steady(3)))
    opened = open_recording(path, PLAIN)
    shutil.rmtree(path)
    with pytest.raises(RecordingError, match="found no"):
        opened.left("000001")


def test_images_need_a_choice(good, tmp_path):
    with pytest.raises(RecordingError, match="expected one image topic.*`--left` names"):
        open_images(good, PLAIN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="folder of jpg or png images"):
        open_images(tmp_path / "empty", PLAIN)


@pytest.mark.parametrize("kind", ["pipe", "device", "huge"])
def test_metadata_that_is_no_text_is_refused_at_once(tmp_path, kind):
    metadata = tmp_path / "metadata.yaml"
    if kind == "pipe":
        os.mkfifo(metadata)
    elif kind == "device":
        metadata.symlink_to("/dev/zero")
    else:
        with metadata.open("wb") as file:
            file.truncate(1 << 33)
    (tmp_path / "drive.mcap").write_bytes(b"")
    with pytest.raises(RecordingError, match="expected a text of at most 16777216 bytes"):
        list_topics(tmp_path)
