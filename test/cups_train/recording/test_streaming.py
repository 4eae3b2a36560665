from dataclasses import replace

from cups_train.config import RecordingConfig
from cups_train.recording import open_recording, streaming

PLAIN = RecordingConfig()


def test_few_encoded_images_are_held(bags, monkeypatch):
    count = 3 * streaming.HELD
    rows = bags.stereo(bags.steady(count))
    opened = open_recording(
        bags.write(
            [replace(row, log_ns=row.log_ns + count * bags.step) if "right" in row.topic else row for row in rows]
        ),
        PLAIN,
    )
    most = 0
    take = streaming.take_pair

    def watch(path, index, row, held, left, right):
        nonlocal most
        most = max(most, *map(len, held.values()))
        return take(path, index, row, held, left, right)

    monkeypatch.setattr(streaming, "take_pair", watch)
    assert len(list(opened.frames())) == count
    assert 0 < most <= streaming.HELD + 1
