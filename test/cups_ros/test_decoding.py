"""What other programs put into image messages, without ROS. Node and recordings decode alike: both call this."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cups_ros.decoding import MessageError, rgb_from_compressed, rgb_from_raw

RED = np.full((16, 24, 3), (250, 10, 20), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def raw(encoding: str, pixels: np.ndarray, step: int | None = None, data: bytes | None = None) -> SimpleNamespace:
    """pixels: (H, W) or (H, W, C) uint8."""
    height, width = pixels.shape[:2]
    return SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=pixels.nbytes // height if step is None else step,
        is_bigendian=0,
        data=pixels.tobytes() if data is None else data,
    )


def compressed(form: str, data: bytes) -> SimpleNamespace:
    return SimpleNamespace(format=form, data=data)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize(
    "form",
    ["jpeg", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8", "rgb8; jpeg compressed rgb8", "rgb8", ""],
)
def test_red_is_red_whatever_the_format_says(ending: str, form: str) -> None:
    data = cv2.imencode(ending, RED[..., ::-1])[1].tobytes()
    assert (np.abs(rgb_from_compressed(compressed(form, data)).astype(int) - RED) <= 3).all()


@pytest.mark.parametrize("zeros", [1, 900, 1100, 100_000])
def test_a_jpeg_padded_with_zeros_is_whole(zeros: int) -> None:
    data = cv2.imencode(".jpg", NOISE)[1].tobytes()
    assert (
        rgb_from_compressed(compressed("jpeg", data + bytes(zeros))) == rgb_from_compressed(compressed("jpeg", data))
    ).all()
    with pytest.raises(MessageError, match="a JPEG without its end"):
        rgb_from_compressed(compressed("jpeg", data[:-400] + bytes(zeros)))


def test_a_step_of_zero_is_one_without_padding() -> None:
    assert (rgb_from_raw(raw("bgr8", NOISE[..., ::-1], step=0)) == NOISE).all()


def test_the_last_row_needs_no_padding() -> None:
    padded = np.pad(NOISE, ((0, 0), (0, 5), (0, 0)))
    data = padded.tobytes()[:-15]
    message = raw("rgb8", NOISE, step=padded.shape[1] * 3, data=data)
    assert (rgb_from_raw(message) == NOISE).all()
    message.data = data[:-1]
    with pytest.raises(MessageError, match="image data has 13232 bytes, but 64 rows of 207 bytes need 13233"):
        rgb_from_raw(message)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("size", [(5, 7), (5, 8), (6, 7), (3, 3)])
def test_bayer_images_of_odd_size(pattern: str, size: tuple[int, int]) -> None:
    value = {"r": 200, "g": 100, "b": 50}
    tile = np.array([value[colour] for colour in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (4, 4))[: size[0], : size[1]]
    expected = rgb_from_raw(raw(f"bayer_{pattern}8", np.tile(tile, (4, 4))))[: size[0] - 1, : size[1] - 1]
    assert (expected == [200, 100, 50]).all()
    for image in (
        rgb_from_raw(raw(f"bayer_{pattern}8", mosaic)),
        rgb_from_compressed(
            compressed(f"bayer_{pattern}8; png compressed ", cv2.imencode(".png", mosaic)[1].tobytes())
        ),
    ):
        assert image.shape == (*size, 3) and (image == [200, 100, 50]).all()


@pytest.mark.parametrize("size", [(2, 8), (8, 2), (1, 1)])
def test_a_mosaic_too_small_to_fill_in_is_refused_not_black(size: tuple[int, int]) -> None:
    with pytest.raises(MessageError, match=f"{size[1]}x{size[0]} pixels: expected at least 3 rows and columns"):
        rgb_from_raw(raw("bayer_rggb8", np.full(size, 90, np.uint8)))


def test_no_ros_and_no_torch_is_imported() -> None:
    code = "import sys, cups_ros.decoding; print(*{'rclpy', 'torch', 'cups_train', 'sensor_msgs'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "bgr16", "rgba16", "bgra16", "bayer_rggb16"])
def test_the_bits_in_use_fill_the_picture(encoding: str, bits: int) -> None:
    """White is white and half of it grey, whatever the sensor's depth."""
    channels = {"mono16": 1, "16UC1": 1, "bayer_rggb16": 1, "rgba16": 4, "bgra16": 4}.get(encoding, 3)
    words = np.full((32, 40, channels), (1 << bits) - 1, "<u2")
    words[:, 20:] >>= 1
    image = rgb_from_raw(raw(encoding, words))
    assert image.shape == (32, 40, 3) and (image[:, :18] == 255).all() and (image[:, 22:] == 127).all()


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [("RGB8", "rgb8"), ("BGR8", "bgr8"), ("8uc3", "8UC3"), ("rgb", "rgb8"), ("MONO8", "mono8"), ("gray", "mono8")],
)
def test_other_spellings(spelled: str, meant: str) -> None:
    pixels = RED if meant != "mono8" else RED[..., 0]
    assert (rgb_from_raw(raw(spelled, pixels)) == rgb_from_raw(raw(meant, pixels))).all()


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "i420", "yv12", "NV12"])
def test_brightness_and_colours_in_planes(encoding: str) -> None:
    y, u, v = 120, 100, 180
    colours = {"nv12": [u, v] * 48, "nv21": [v, u] * 48, "i420": [u] * 48 + [v] * 48, "yv12": [v] * 48 + [u] * 48}
    data = bytes([y] * 16 * 12 + colours[encoding.lower()])
    image = rgb_from_raw(SimpleNamespace(encoding=encoding, height=12, width=16, step=16, is_bigendian=0, data=data))
    red, blue = v - 128, u - 128
    expected = 1.164 * (y - 16) + np.array([1.596 * red, -0.813 * red - 0.391 * blue, 2.018 * blue])
    assert image.shape == (12, 16, 3) and np.abs(image - expected).max() < 2
    short = SimpleNamespace(encoding=encoding, height=12, width=16, step=16, is_bigendian=0, data=data[:-1])
    with pytest.raises(MessageError, match="has 287 bytes"):
        rgb_from_raw(short)


def test_yvyu_is_yuyv_with_its_colours_swapped() -> None:
    first = np.tile(np.array([[120, 100], [130, 180]], np.uint8), (8, 8, 1))
    swapped = first.copy()
    swapped[:, ::2, 1], swapped[:, 1::2, 1] = first[:, 1::2, 1], first[:, ::2, 1]
    images = [rgb_from_raw(raw(encoding, rows)) for encoding, rows in (("yuyv", first), ("yvyu", swapped))]
    assert (images[0] == images[1]).all()
