"""Whatever the specification of MCAP allows is read, and gives the same pictures."""

import importlib.util
from pathlib import Path

import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import bag, open_recording
from cups_train.recording.mcap import open_mcap
from cups_train.recording.stored import MAX_BLOCK_BYTES

_spec = importlib.util.spec_from_file_location("mcap_writing", Path(__file__).with_name("mcap_writing.py"))
mcap_writing = importlib.util.module_from_spec(_spec)
__import__("sys").modules["mcap_writing"] = mcap_writing
_spec.loader.exec_module(mcap_writing)
Habits, write_mcap = mcap_writing.Habits, mcap_writing.write_mcap

ODD = {
    "plain": Habits(),
    "empty profile": Habits(profile=""),
    "foreign profile": Habits(profile="px4"),
    "no summary": Habits(summary=()),
    "statistics alone": Habits(summary=("statistics",)),
    "channels without schemas": Habits(summary=("channels",)),
    "no statistics": Habits(summary=("schemas", "channels")),
    "no message index": Habits(indexed=False),
    "no index, no summary": Habits(indexed=False, summary=()),
    "described in the first chunk alone": Habits(described_in_chunk=True, summary=()),
    "described in the first chunk, packed": Habits(described_in_chunk=True, summary=("statistics",), compression="lz4"),
    "no chunks": Habits(chunked=False),
    "no chunks, no summary": Habits(chunked=False, summary=()),
    "no chunks, last message first": Habits(chunked=False, reverse=True),
    "chunks, last message first": Habits(reverse=True),
    "a schema in the first version's spelling": Habits(spelled="sensor_msgs/"),
    "a schema of IDL": Habits(spelled="sensor_msgs::msg::"),
    "a schema of DDS": Habits(spelled="sensor_msgs::msg::dds_::"),
}


@pytest.fixture
def written(bags, serialize, tmp_path):
    def write(habits, count=4):
        return write_mcap(tmp_path / "odd.mcap", bags.stereo(bags.steady(count)), serialize, habits)

    return write


@pytest.mark.parametrize("habits", ODD.values(), ids=ODD)
def test_same_frames(bags, written, habits):
    path = written(habits)
    opened = open_recording(path, RecordingConfig())
    assert [frame.key for frame in opened.frames()] == ["000000", "000001", "000002", "000003"]
    for moment in (3, 0, 2):
        frame = opened.stereo(f"{moment:06d}")
        assert (frame.left == bags.pair(moment)[0]).all() and (frame.right == bags.pair(moment)[1]).all()
    assert sum(topic.count for topic in bag.list_topics(path)) == 10


def test_topic_after_topic(bags, serialize, tmp_path):
    rows = sorted(bags.stereo(bags.steady(5)), key=lambda row: row.topic)
    for chunked in (True, False):
        path = write_mcap(tmp_path / f"{chunked}.mcap", rows, serialize, Habits(chunked=chunked))
        logs = [message.log_ns for message in bag.stream(path, [row.topic for row in rows])]
        assert logs == sorted(logs) and len(logs) == len(rows)


@pytest.mark.parametrize("encoding", ["json", "protobuf", "ros1"])
def test_other_encodings_are_left_alone(written, encoding):
    with pytest.raises(RecordingError, match=f"found no image topic .*Image \\({encoding}\\)"):
        open_recording(written(Habits(encoding=encoding)), RecordingConfig())


@pytest.mark.parametrize("claimed", [MAX_BLOCK_BYTES + 1, 1 << 60])
def test_a_bomb_is_refused_before_it_is_unpacked(written, claimed):
    with pytest.raises(RecordingError, match=f"at most {MAX_BLOCK_BYTES} bytes .* found one of {claimed}"):
        open_mcap(written(Habits(indexed=False, claimed=claimed, compression="lz4")))


def test_a_chunk_that_unpacks_to_more_than_it_says(written):
    with pytest.raises(RecordingError, match="expected a chunk of|readable recording|a record of at most"):
        bag.list_topics(written(Habits(indexed=False, claimed=100, compression="lz4")))


def test_a_length_beyond_the_file(written):
    path = written(Habits())
    data = bytearray(path.read_bytes())
    data[15] = 0x7F  # of the header's eight bytes of length
    path.write_bytes(bytes(data))
    with pytest.raises(RecordingError, match="expected a record of at most .*mcap recover"):
        bag.list_topics(path)


def test_cut_off_in_a_message(written):
    path = written(Habits(chunked=False))
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(RecordingError, match="cut off"):
        open_recording(path, RecordingConfig())
