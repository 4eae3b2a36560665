import pickle
from dataclasses import replace

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cups_train.config import RecordingConfig
from cups_train.parallel import map_frames
from cups_train.recording import open_recording, open_recordings, streaming

PLAIN = RecordingConfig()


def _check(bags, opened, moments):
    """All ways of reading give the pixels that were written."""
    frames = list(opened.frames())
    assert [frame.key for frame in frames] == [stamp.key for stamp in opened.stamps]
    for frame, moment in zip(frames, moments, strict=True):
        left, right = bags.pair(moment)
        assert (frame.left == left).all() and (frame.right == right).all()
        assert (opened.left(frame.key) == left).all()
        again = opened.stereo(frame.key)
        assert (again.right == right).all() and again.stamp_ns == frame.stamp_ns and again.camera == opened.camera


@pytest.mark.parametrize("storage", list(StoragePlugin))
def test_folder_and_bare_file(bags, storage):
    folder = bags.write(bags.stereo(bags.steady(4)), storage=storage)
    file = next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    for path in (folder, file):
        opened = open_recording(path, PLAIN)
        assert (opened.name, opened.path, len(opened)) == (path.stem, path, 4)
        assert [stamp.key for stamp in opened.stamps] == ["000000", "000001", "000002", "000003"]
        assert [stamp.stamp_ns for stamp in opened.stamps] == bags.steady(4)
        assert [stamp.follows for stamp in opened.stamps] == [True, True, True, False]
        assert opened.step_ns == bags.step and opened.camera.baseline == pytest.approx(bags.baseline)
        _check(bags, opened, range(4))


@pytest.mark.parametrize("version", [5, 6, 7, 8, 9])
def test_metadata_versions(bags, version):
    path = bags.write(bags.stereo(bags.steady(3)), storage=StoragePlugin.SQLITE3)
    tree = yaml.safe_load((path / "metadata.yaml").read_text())
    info = tree["rosbag2_bagfile_information"]
    info["version"] = version
    for key in (["ros_distro"] if version < 8 else []) + (["custom_data"] if version < 6 else []):
        del info[key]
    for topic in info["topics_with_message_count"]:
        if version < 9:
            topic["topic_metadata"]["offered_qos_profiles"] = ""
        if version < 7:
            del topic["topic_metadata"]["type_description_hash"]
    (path / "metadata.yaml").write_text(yaml.safe_dump(tree))
    _check(bags, open_recording(path, PLAIN), range(3))


def test_jitter_and_partners_within_the_slop(bags):
    stamps = [bags.start + t * 10**6 for t in (0, 97, 204, 301)]
    rights = [bags.start + t * 10**6 for t in (7, 97, 194, 331)]  # the last is 30 ms off
    opened = open_recording(bags.write(bags.stereo(stamps, rights)), PLAIN)
    assert [stamp.stamp_ns for stamp in opened.stamps] == stamps[:3]
    assert len(open_recording(opened.path, RecordingConfig(pair_slop_ms=40))) == 4


def test_gap_and_pairs(bags):
    stamps = [bags.start + i * bags.step for i in (0, 1, 2, 5, 6)]
    opened = open_recording(bags.write(bags.stereo(stamps)), PLAIN)
    pairs = [(now.key, after.key if after else None) for now, after in opened.pairs()]
    assert pairs == [
        ("000000", "000001"),
        ("000001", "000002"),
        ("000002", None),
        ("000003", "000004"),
        ("000004", None),
    ]
    assert [stamp.follows for stamp in opened.stamps] == [True, True, False, True, False]


def test_equal_and_backward_stamps(bags):
    """Moments 0..4 were read with stamps 0, 2, 1, 1, 3: sorted by stamp, and the second image with stamp 1 does not
    count."""
    stamps = [bags.start + i * bags.step for i in (0, 2, 1, 1, 3)]
    opened = open_recording(bags.write(bags.stereo(stamps, logs=bags.steady(5))), PLAIN)
    assert [stamp.stamp_ns for stamp in opened.stamps] == bags.steady(4)
    _check(bags, opened, [0, 2, 1, 4])


def test_right_images_long_after_left_ones(bags):
    """More images wait than are held: the rest is fetched again, and nothing is lost."""
    count = 3 * streaming.HELD
    rows = bags.stereo(bags.steady(count))
    late = [replace(row, log_ns=row.log_ns + count * bags.step) if "right" in row.topic else row for row in rows]
    _check(bags, open_recording(bags.write(late), PLAIN), range(count))


def test_stride_leaves_numbers_out(bags):
    opened = open_recording(bags.write(bags.stereo(bags.steady(7))), RecordingConfig(stride=3))
    assert [stamp.key for stamp in opened.stamps] == ["000000", "000003", "000006"]
    assert opened.step_ns == 3 * bags.step
    _check(bags, opened, [0, 3, 6])
    assert [(now.key, after.key if after else None) for now, after in opened.pairs()] == [
        ("000000", "000003"),
        ("000003", "000006"),
        ("000006", None),
    ]


def test_pickles_small_and_works_in_a_worker(bags):
    opened = open_recording(bags.write(bags.stereo(bags.steady(3))), PLAIN)
    assert opened.stamps and len(pickle.dumps(opened)) < 5000
    copy = pickle.loads(pickle.dumps(opened))
    _check(bags, copy, range(3))
    assert copy.fingerprint == opened.fingerprint
    lefts = list(map_frames(opened.left, ["000002", "000000"], workers=2))
    assert (lefts[0] == bags.pair(2)[0]).all() and (lefts[1] == bags.pair(0)[0]).all()


def test_fingerprint_tells_recordings_apart(bags):
    first = open_recording(bags.write(bags.stereo(bags.steady(3)), "a"), PLAIN)
    assert first.fingerprint == open_recording(first.path, PLAIN).fingerprint
    assert first.fingerprint != open_recording(first.path, RecordingConfig(stride=2)).fingerprint
    shifted = open_recording(bags.write(bags.stereo([stamp + 1 for stamp in bags.steady(3)]), "b"), PLAIN, "a")
    assert first.fingerprint != shifted.fingerprint


def test_names_of_several_recordings(bags):
    paths = [bags.write(bags.stereo(bags.steady(2)), name) for name in ("a/bag", "b/bag")]
    assert [opened.name for opened in open_recordings(paths, PLAIN)] == ["a-bag", "b-bag"]


def test_unrectified_cameras_are_rectified(bags):
    """The raw camera has cx 4 px more than P: the rectified image is the raw one shifted by 4 px."""
    rows = bags.stereo(bags.steady(2))
    k = np.array([bags.fx, 0, 35.5, 0, bags.fx, 23.5, 0, 0, 1])
    rows = [
        replace(row, message=bags.info("right" in row.topic, k=k)) if row.topic.endswith("camera_info") else row
        for row in rows
    ]
    frame = next(open_recording(bags.write(rows), PLAIN).frames())
    left, right = bags.pair(0)
    assert (frame.left[:, :-4] == left[:, 4:]).all() and (frame.right[:, :-4] == right[:, 4:]).all()
    assert not frame.left[:, -4:].any()


def test_compressed_and_named_like_image_transport(bags):
    rows = []
    for row in bags.stereo(bags.steady(3), left="/l/image_rect", right="/r/image_rect"):
        if row.topic.endswith("image_rect"):
            number = (row.log_ns - bags.start) // bags.step
            message = bags.compressed(bags.pair(number)["/r/" in row.topic], row.log_ns)
            row = replace(row, topic=row.topic + "/compressed", type="sensor_msgs/msg/CompressedImage", message=message)
        rows.append(row)
    _check(bags, open_recording(bags.write(rows), PLAIN), range(3))


def test_recording_split_into_files(bags):
    """rosbag2 splits long recordings: one metadata.yaml, several files."""
    rows = bags.stereo(bags.steady(6))
    border = bags.start + 3 * bags.step
    first = bags.write([row for row in rows if row.log_ns < border], "one")
    second = bags.write([row for row in rows if row.log_ns >= border], "two")
    (second / "two.mcap").rename(first / "two.mcap")
    tree = yaml.safe_load((first / "metadata.yaml").read_text())
    tree["rosbag2_bagfile_information"]["relative_file_paths"] = ["one.mcap", "two.mcap"]
    (first / "metadata.yaml").write_text(yaml.safe_dump(tree))
    opened = open_recording(first, PLAIN)
    assert [stamp.follows for stamp in opened.stamps] == [True] * 5 + [False]
    _check(bags, opened, range(6))


@pytest.mark.parametrize("mode", [CompressionMode.MESSAGE, CompressionMode.STORAGE])
def test_zstd(bags, mode):
    opened = open_recording(bags.write(bags.stereo(bags.steady(3)), compression=mode), PLAIN)
    _check(bags, opened, range(3))
