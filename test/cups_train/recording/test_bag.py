"""One place says what a bag holds: its files, not what metadata.yaml tells of them."""

import os

import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import open_recording
from cups_train.recording.bag import list_topics, read_index, stream
from cups_train.recording.inspect import inspect


def _edited(path, change):
    file = path / "metadata.yaml"
    metadata = yaml.safe_load(file.read_text())
    change(metadata["rosbag2_bagfile_information"])
    file.write_text(yaml.safe_dump(metadata))
    return path


def _other_qos(information):
    for topic in information["topics_with_message_count"]:
        topic["topic_metadata"]["offered_qos_profiles"] = [{"history": "keep_last", "durability": "transient_local"}]


def _other_counts(information):
    information["message_count"] = 1
    for topic in information["topics_with_message_count"]:
        topic["message_count"] = 0


def _other_names(information):
    for topic in information["topics_with_message_count"]:
        topic["topic_metadata"]["name"] = "/gone"


def _no_topics(information):
    del information["topics_with_message_count"]


def _renamed(information):
    information["relative_file_paths"] = ["before_it_was_renamed.mcap"]


@pytest.mark.parametrize("change", [_other_qos, _other_counts, _other_names, _no_topics])
@pytest.mark.parametrize("storage", list(StoragePlugin))
def test_storage_wins(bags, change, storage):
    path = _edited(bags.write(bags.stereo(bags.steady(4)), storage=storage), change)
    assert len(open_recording(path, RecordingConfig())) == 4


def test_a_renamed_file_is_the_one_that_is_there(bags):
    assert len(open_recording(_edited(bags.write(bags.stereo(bags.steady(4))), _renamed), RecordingConfig())) == 4


def test_no_topic_is_no_message(bags):
    path = bags.write(bags.stereo(bags.steady(2)))
    assert list(stream(path, [])) == [] and read_index(path, []) == {}


def test_nothing_but_words(bags):
    """Another recording than one of cameras is a sentence, not a fault."""
    rows = bags.stereo(bags.steady(3))
    infos = [row for row in rows if row.type.endswith("CameraInfo")]
    assert "found no image topic" in inspect(bags.write(infos, "infos"), RecordingConfig()).problem


def test_messages_packed_by_themselves_without_their_metadata(bags):
    path = bags.write(bags.stereo(bags.steady(3)), compression=CompressionMode.MESSAGE)
    assert len(open_recording(path / "drive.mcap", RecordingConfig())) == 3


@pytest.mark.parametrize("name", ["pipe.mcap", "pipe.db3"])
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(RecordingError, match="expected a file with messages"):
        list_topics(tmp_path / name)


def test_hidden_files_do_not_count(bags):
    path = bags.write(bags.stereo(bags.steady(3)))
    (path / "._drive.mcap").write_bytes(b"resource fork")
    assert len(open_recording(path, RecordingConfig())) == 3
