import struct

import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import open_recording
from cups_train.recording.unchunked import read_unchunked

MAGIC = b"\x89MCAP0\r\n"


def _records(data, at, end):
    while at < end:
        opcode, length = struct.unpack_from("<BQ", data, at)
        yield opcode, data[at : at + 9 + length]
        at += 9 + length


def _without_chunks(data):
    """The same messages as plain records, no index and no summary."""
    out = MAGIC
    for opcode, record in _records(data, 8, len(data) - 8):
        if opcode == 0x01:
            out += record
        elif opcode == 0x06:  # times 16, size 8, checksum 4, compression name, size 8, records
            name = struct.unpack_from("<I", record, 9 + 28)[0]
            out += record[9 + 28 + 4 + name + 8 :]
        elif opcode == 0x0F:
            break
    return out + struct.pack("<BQI", 0x0F, 4, 0) + struct.pack("<BQQQI", 0x02, 20, 0, 0, 0) + MAGIC


def test_frames_and_random_access(bags):
    path = bags.write(bags.stereo(bags.steady(4)))
    file = path / "drive.mcap"
    chunked = file.read_bytes()
    assert read_unchunked(file, "/stereo/left/image_raw", bags.start) == []
    file.write_bytes(_without_chunks(chunked))
    for where in (path, file):
        opened = open_recording(where, RecordingConfig())
        assert [frame.key for frame in opened.frames()] == ["000000", "000001", "000002", "000003"]
        for moment in (3, 0, 2):
            frame = opened.stereo(f"{moment:06d}")
            assert (frame.left == bags.pair(moment)[0]).all() and (frame.right == bags.pair(moment)[1]).all()
    assert len(read_unchunked(file, "/stereo/left/image_raw", bags.start)) == 1


def test_cut_off_in_a_message(bags):
    path = bags.write(bags.stereo(bags.steady(4)))
    file = path / "drive.mcap"
    file.write_bytes(_without_chunks(file.read_bytes())[:40_000])
    with pytest.raises(RecordingError, match="cut off"):
        open_recording(path, RecordingConfig())
