"""Image and depth messages to arrays, without a ROS graph, against values worked out by hand."""

from __future__ import annotations

import array
import sys
import types

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from stereo_msgs.msg import DisparityImage

from cups_ros import images
from cups_ros.decoding import MessageError, compressed_size

RGB = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]]], np.uint8)


def image(encoding: str, rows: list[list[int]], width: int, step: int | None = None, **fields: int) -> Image:
    data = array.array("B", [value for row in rows for value in row])
    return Image(
        encoding=encoding,
        height=len(rows),
        width=width,
        step=step if step is not None else len(rows[0]),
        data=data,
        **fields,
    )


def flat(pixels: np.ndarray) -> list[list[int]]:
    return pixels.reshape(len(pixels), -1).tolist()


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, np.full((2, 2), 7, np.uint8)])),
        ("bgra8", np.dstack([RGB[..., ::-1], np.full((2, 2), 7, np.uint8)])),
    ],
)
def test_order_of_channels(encoding: str, pixels: np.ndarray) -> None:
    assert (images.rgb_from(image(encoding, flat(pixels), 2)) == RGB).all()


@pytest.mark.parametrize("big_endian", [0, 1])
def test_padded_rows_and_byte_order_do_not_shift_pixels(big_endian: int) -> None:
    rows = [[*row, 255, 255, 255] for row in flat(RGB)]
    assert (images.rgb_from(image("rgb8", rows, 2, is_bigendian=big_endian)) == RGB).all()


def test_rgb8_is_a_view() -> None:
    message = image("rgb8", flat(RGB), 2)
    assert np.shares_memory(images.rgb_from(message), np.frombuffer(message.data, np.uint8))


def test_grey() -> None:
    assert images.rgb_from(image("mono8", [[1, 2, 3]], 3)).tolist() == [[[1, 1, 1], [2, 2, 2], [3, 3, 3]]]


@pytest.mark.parametrize(
    ("encoding", "pattern"),
    [
        ("bayer_rggb8", "RG/GB"),
        ("bayer_bggr8", "BG/GR"),
        ("bayer_gbrg8", "GB/RG"),
        ("bayer_grbg8", "GR/BG"),
    ],
)
def test_bayer_patterns_of_one_colour(encoding: str, pattern: str) -> None:
    value = {"R": 200, "G": 100, "B": 50}
    tile = [[value[c] for c in row] * 4 for row in pattern.split("/")]
    rgb = images.rgb_from(image(encoding, tile * 4, 8))
    assert (rgb[2:-2, 2:-2] == [200, 100, 50]).all()


@pytest.mark.parametrize(("encoding", "pair"), [("yuv422", [90, 82, 240, 82]), ("yuv422_yuy2", [82, 90, 82, 240])])
def test_yuv_red(encoding: str, pair: list[int]) -> None:
    """BT.601: Y = 82, U = 90, V = 240 is full red."""
    rgb = images.rgb_from(image(encoding, [pair * 2], 4)).astype(int)
    assert rgb.shape == (1, 4, 3) and (np.abs(rgb - [255, 0, 0]) <= 2).all()


def test_compressed_png_is_exact_and_keeps_order() -> None:
    ok, data = cv2.imencode(".png", RGB[..., ::-1])
    assert ok
    usual = CompressedImage(format="bgr8; png compressed bgr8", data=array.array("B", data.tobytes()))
    swapped = CompressedImage(format="rgb8; png compressed rgb8", data=usual.data)
    assert (images.rgb_from(usual) == RGB).all()
    assert (images.rgb_from(swapped) == RGB).all()  # the file says what its colours are, not the format


def test_compressed_jpeg_and_grey() -> None:
    grey = np.full((16, 16), 99, np.uint8)
    data = cv2.imencode(".jpg", grey)[1]
    rgb = images.rgb_from(CompressedImage(format="mono8; jpeg compressed ", data=array.array("B", data.tobytes())))
    assert rgb.shape == (16, 16, 3) and (np.abs(rgb.astype(int) - 99) <= 1).all()


def test_compressed_raw_bayer() -> None:
    mosaic = np.tile(np.array([[200, 100], [100, 50]], np.uint8), (4, 4))
    data = cv2.imencode(".png", mosaic)[1]
    rgb = images.rgb_from(CompressedImage(format="bayer_rggb8; png compressed ", data=array.array("B", data.tobytes())))
    assert (rgb[2:-2, 2:-2] == [200, 100, 50]).all()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (image("16SC3", [[0] * 6], 1), "encoding '16SC3' is not supported"),
        (image("", [[0] * 3], 1), "encoding '' is not supported"),
        (Image(encoding="rgb8", height=0, width=4, step=12), "4x0 pixels"),
        (Image(encoding="rgb8", height=4, width=0), "0x4 pixels"),
        (image("rgb8", [[0] * 6], 2, step=5), "step is 5 bytes, but a row of 2 rgb8 pixels has 6"),
        (
            Image(encoding="rgb8", height=2, width=2, step=6, data=array.array("B", [0] * 11)),
            "data has 11 bytes, but 2 rows of 6 bytes need 12",
        ),
        (
            Image(encoding="mono8", height=2**31, width=2**31, step=2**31),
            "2147483648x2147483648 pixels: expected at most 1000 megapixels",
        ),
        (Image(encoding="mono8", height=16384, width=16384, step=16384), "data has 0 bytes"),
        (image("yuv422", [[0] * 6], 3), "even number"),
        (image("bayer_rggb8", [[0] * 4], 4), "at least 3 rows and columns"),
        (CompressedImage(format="jpeg"), "without data"),
        (CompressedImage(format="jpeg", data=array.array("B", b"\xff\xd8 not a picture")), "a JPEG without its end"),
        (
            CompressedImage(format="jpeg", data=array.array("B", b"\xff\xd8 not a picture \xff\xd9")),
            "cannot be decoded",
        ),
        (
            CompressedImage(
                format="png", data=array.array("B", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff")
            ),
            "65535x65535 pixels",
        ),
    ],
)
def test_malformed_messages_are_refused_in_one_sentence(message: Image | CompressedImage, text: str) -> None:
    with pytest.raises(MessageError, match=text) as error:
        images.rgb_from(message)
    assert "\n" not in str(error.value).strip()


def test_truncated_jpeg_is_never_taken_for_a_picture() -> None:
    data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1].tobytes()
    for length in range(0, len(data), 97):
        with pytest.raises(MessageError):
            images.rgb_from(CompressedImage(format="jpeg", data=array.array("B", data[:length])))


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_size_is_read_before_the_picture_is_decoded(kind: str) -> None:
    data = cv2.imencode(kind, np.zeros((30, 70, 3), np.uint8))[1].ravel()
    assert compressed_size(data) == (30, 70)
    with pytest.raises(
        MessageError, match="70x30 pixels: expected at most 0.002 megapixels; max_megapixels raises that"
    ):
        images.rgb_from(CompressedImage(format="x", data=array.array("B", data.tobytes())), 0.002)


@pytest.mark.parametrize(("big_endian", "rows"), [(0, [[1, 200, 2, 100, 9]]), (1, [[200, 1, 100, 2, 9]])])
def test_mono16_keeps_its_high_byte_in_both_byte_orders(big_endian: int, rows: list[list[int]]) -> None:
    assert images.rgb_from(image("mono16", rows, 2, is_bigendian=big_endian)).tolist() == [[[200] * 3, [100] * 3]]


def test_depth_and_disparity_become_metres() -> None:
    millimetres = Image(
        encoding="16UC1", height=1, width=3, step=8, data=array.array("B", [0xE8, 3, 0, 0, 0xD0, 7, 9, 9])
    )
    assert images.depth_from(millimetres).tolist() == [[1.0, 0.0, 2.0]]
    metres = np.array([[1.5, np.nan, np.inf]], ">f4")
    floats = Image(
        encoding="32FC1", height=1, width=3, step=12, is_bigendian=1, data=array.array("B", metres.tobytes())
    )
    assert images.depth_from(floats).tolist() == [[1.5, 0.0, 0.0]]
    pixels = Image(
        encoding="32FC1", height=1, width=2, step=8, data=array.array("B", np.array([[10, 0]], "<f4").tobytes())
    )
    assert images.depth_from(DisparityImage(image=pixels, f=100.0, t=0.5)).tolist() == [[5.0, 0.0]]
    with pytest.raises(MessageError, match="f = 0 and t = 0.5"):
        images.depth_from(DisparityImage(image=pixels, t=0.5))
    with pytest.raises(MessageError, match="'rgb8', expected 32FC1 or 16UC1"):
        images.depth_from(image("rgb8", flat(RGB), 2))


class CvBridge:
    """Converts one encoding, and fails on others as cv_bridge does."""

    def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> np.ndarray:
        assert desired_encoding == "rgb8"
        if message.encoding != "16SC3":
            raise KeyError(message.encoding)
        pixels = np.frombuffer(message.data, "<u2").reshape(message.height, message.width, 3)
        return (pixels >> 8).astype(np.uint8)


def test_other_encodings_go_to_cv_bridge_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Image(
        encoding="16SC3",
        height=1,
        width=2,
        step=12,
        data=array.array("B", np.array([1, 2, 3, 4, 5, 255], "<u2").byteswap().tobytes()),
    )
    with pytest.raises(MessageError, match="'16SC3' is not supported.*or install cv_bridge"):
        images.rgb_from(wide)
    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(CvBridge=CvBridge))
    assert images.rgb_from(wide).tolist() == [[[1, 2, 3], [4, 5, 255]]]
    with pytest.raises(MessageError, match="'p010' cannot be converted by cv_bridge: 'p010'"):
        images.rgb_from(Image(encoding="p010", height=1, width=2, step=2, data=array.array("B", [1, 2])))
    # half of it, as after a failed installation
    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(boost=None))
    with pytest.raises(MessageError, match="'16SC3' is not supported"):
        images.rgb_from(wide)
