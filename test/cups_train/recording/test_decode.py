import struct
import time
import zlib

import numpy as np
import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError, ResultError
from cups_train.files import read_image
from cups_train.recording import open_images
from cups_train.recording.bag import COMPRESSED, IMAGE
from cups_train.recording.decode import decode_image

RGB = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]]], np.uint8)


@pytest.fixture
def decode(bags, serialize):
    def run(pixels, encoding, **options):
        return decode_image(serialize(bags.raw(pixels, 5, encoding, **options), IMAGE), IMAGE, "/left/image")

    return run


@pytest.mark.parametrize("padding", [0, 5])
def test_colour_orders(decode, padding):
    alpha = np.full((2, 2, 1), 9, np.uint8)
    assert (decode(RGB, "rgb8", padding=padding) == RGB).all()
    assert (decode(RGB[..., ::-1], "bgr8", padding=padding) == RGB).all()
    assert (decode(np.dstack([RGB, alpha]), "rgba8", padding=padding) == RGB).all()
    assert (decode(np.dstack([RGB[..., ::-1], alpha]), "bgra8", padding=padding) == RGB).all()


def test_grey_becomes_three_equal_channels(decode):
    grey = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert (decode(grey, "mono8", padding=3) == grey[..., None]).all()


@pytest.mark.parametrize("big", [False, True])
def test_mono16_keeps_the_high_byte(decode, big):
    values = np.array([[0x1234, 0xFF00], [0x00FF, 0x8001]])
    image = decode(values.astype(">u2" if big else "<u2"), "mono16", big=big, padding=2)
    assert image[..., 0].tolist() == [[0x12, 0xFF], [0x00, 0x80]]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_one_colour(decode, pattern):
    colour = {"r": 200, "g": 100, "b": 50}
    tile = np.array([[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]], np.uint8)
    image = decode(np.tile(tile, (4, 4)), f"bayer_{pattern}8")
    assert (image[2:-2, 2:-2] == [200, 100, 50]).all()


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_yuv422_in_both_orders(decode, encoding, order):
    """BT.601 video range, two pixels share u and v: R = 1.164 (y - 16) + 1.596 (v - 128), B = 1.164 (y - 16) + 2.018 (u
    - 128)."""
    first, second, u, v = 100, 150, 110, 160
    values = {"uyvy": [u, first, v, second], "yuyv": [first, u, second, v]}[order]
    image = decode(np.array(values, np.uint8).reshape(1, 2, 2), encoding)
    for pixel, y in zip(image[0].astype(float), (first, second), strict=True):
        light = 1.164 * (y - 16)
        expected = [light + 1.596 * (v - 128), light - 0.813 * (v - 128) - 0.391 * (u - 128), light + 2.018 * (u - 128)]
        assert np.abs(pixel - expected).max() < 1.5


def test_png_and_jpeg(bags, serialize):
    png = decode_image(serialize(bags.compressed(RGB, 5), COMPRESSED), COMPRESSED, "/left")
    assert (png == RGB).all()
    grey = np.full((16, 16), 90, np.uint8)
    jpeg = decode_image(serialize(bags.compressed(grey, 5, ".jpg", "jpeg"), COMPRESSED), COMPRESSED, "/left")
    assert jpeg.shape == (16, 16, 3) and (jpeg == 90).all()


def test_compressed_bayer_mosaic(bags, serialize):
    mosaic = np.tile(np.array([[200, 100], [100, 50]], np.uint8), (4, 4))
    image = decode_image(
        serialize(bags.compressed(mosaic, 5, form="bayer_rggb8; png compressed bgr8"), COMPRESSED), COMPRESSED, "/left"
    )
    assert (image[2:-2, 2:-2] == [200, 100, 50]).all()


def test_damaged_images_name_topic_and_stamp(bags, serialize):
    cut = bags.compressed(
        np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8), 1_000_000_007, ".jpg", "jpeg"
    )
    cut.data = cut.data[:-400]
    empty = bags.compressed(RGB, 1_000_000_007)
    empty.data = empty.data[:0]
    for message in (cut, empty):
        with pytest.raises(RecordingError, match="/left/image at stamp 1000000007 ns"):
            decode_image(serialize(message, COMPRESSED), COMPRESSED, "/left/image")


def test_raw_images_that_do_not_fit_their_header(bags, serialize):
    short = bags.raw(RGB, 5)
    short.data = short.data[:-1]
    odd = bags.raw(RGB, 5)
    odd.encoding = "xyz12"
    for message, text in (
        (short, "has 11 bytes, but 2 rows of 6 bytes need 12"),
        (odd, "encoding 'xyz12' is not supported"),
    ):
        with pytest.raises(RecordingError, match=text):
            decode_image(serialize(message, IMAGE), IMAGE, "/left/image")
    with pytest.raises(RecordingError, match="cannot be decoded"):
        decode_image(serialize(bags.raw(RGB, 5), IMAGE)[:30], IMAGE, "/left/image")


def test_result_does_not_share_the_message(decode):
    decode(RGB, "rgb8")[:] = 0  # writable


def _head(kind: str) -> bytes:
    """The first bytes of a picture of 30000 x 30000."""
    if kind == "png":
        ihdr = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    about = b"\xff\xe1" + struct.pack(">H", 60002) + bytes(60000)  # what a camera writes about itself
    return b"\xff\xd8" + about + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 30000, 30000, 3) + bytes(9) + b"\xff\xd9"


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_huge_picture_is_refused_by_its_head(bags, serialize, tmp_path, kind):
    message = bags.compressed(np.zeros((4, 4, 3), np.uint8), 5)
    message.data = np.frombuffer(_head(kind), np.uint8)
    told = "a picture of at most 200 megapixels, found 30000x30000"
    began = time.monotonic()
    with pytest.raises(RecordingError, match=told):
        decode_image(serialize(message, COMPRESSED), COMPRESSED, "/left/image/compressed")
    (tmp_path / f"a.{kind}").write_bytes(_head(kind))
    with pytest.raises(RecordingError, match=told):
        open_images(tmp_path, RecordingConfig()).frame("a")
    with pytest.raises(ResultError, match=told):
        read_image(tmp_path / f"a.{kind}")
    assert time.monotonic() - began < 1
