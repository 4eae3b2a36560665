import pickle

import cv2
import numpy as np
import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording import is_image_folder, open_images


def test_folder_of_images(tmp_path):
    for number, name in enumerate(("f10.png", "f9.png", "f1.jpg", "note.txt")):
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.full((32, 36, 3), (3, 2, number), np.uint8))[1].tobytes())
    assert is_image_folder(tmp_path)
    source = open_images(tmp_path, RecordingConfig())
    assert (source.name, source.keys) == (tmp_path.name, ("f1", "f9", "f10"))
    frames = list(pickle.loads(pickle.dumps(source)).frames())
    assert [(frame.key, frame.stamp_ns, frame.image[0, 0].tolist()) for frame in frames] == [
        ("f1", 0, [2, 2, 3]),
        ("f9", 0, [1, 2, 3]),
        ("f10", 0, [0, 2, 3]),
    ]
    assert (source.frame("f9").image == frames[1].image).all()
    assert open_images(tmp_path, RecordingConfig(stride=2)).keys == ("f1", "f10")


def test_grey_and_damaged_files(tmp_path):
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.full((32, 36), 7, np.uint8))[1].tobytes())
    assert open_images(tmp_path, RecordingConfig()).frame("a").image.tolist() == [[[7, 7, 7]] * 36] * 32
    (tmp_path / "b.jpg").write_bytes(b"nothing")
    with pytest.raises(RecordingError, match="b.jpg, found a damaged file"):
        list(open_images(tmp_path, RecordingConfig()).frames())
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(RecordingError, match="two named a"):
        open_images(tmp_path, RecordingConfig())


def test_hidden_files_do_not_count(tmp_path):
    """What macOS leaves beside every file on a foreign disk."""
    for name in ("._a.png", ".DS_Store", ".b.jpg"):
        (tmp_path / name).write_bytes(b"resource fork")
    assert not is_image_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes())
    assert open_images(tmp_path, RecordingConfig()).keys == ("a",)


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (1, 1)])
def test_small_images(tmp_path, size):
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.zeros((*size, 3), np.uint8))[1].tobytes())
    with pytest.raises(RecordingError, match=f"at least 32 px a side .* found {size[1]}x{size[0]}"):
        open_images(tmp_path, RecordingConfig()).frame("a")


def test_a_picture_that_would_fill_the_memory(tmp_path):
    """By its head alone: 60000x60000 pixels in 100 bytes."""
    data = bytearray(cv2.imencode(".png", np.zeros((40, 40), np.uint8))[1].tobytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(bytes(data))
    with pytest.raises(RecordingError, match="megapixels, found 60000x60000"):
        open_images(tmp_path, RecordingConfig()).frame("a")


def test_one_camera_without_calibration(bags):
    rows = [row for row in bags.stereo(bags.steady(4), infos=False) if "left" in row.topic]
    path = bags.write(rows)
    assert not is_image_folder(path)
    source = open_images(path, RecordingConfig(stride=3))
    assert source.keys == ("000000", "000003")
    for frame, moment in zip(source.frames(), (0, 3), strict=True):
        assert (frame.image == bags.pair(moment)[0]).all() and frame.stamp_ns == bags.start + moment * bags.step
    assert (pickle.loads(pickle.dumps(source)).frame("000003").image == bags.pair(3)[0]).all()


def test_left_names_the_camera_and_every_image_counts(bags):
    """Images with equal stamps have no partner to confuse: all of them count."""
    stamps = [bags.start, bags.start, bags.start + bags.step]
    path = bags.write(bags.stereo(stamps, logs=bags.steady(3)))
    source = open_images(path, RecordingConfig(left="/stereo/right/image_raw"))
    assert source.keys == ("000000", "000001", "000002")
    assert all((frame.image == bags.pair(i)[1]).all() for i, frame in enumerate(source.frames()))
