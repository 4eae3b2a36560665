"""Answers meet depth: what counts as measured, and what is told where nothing can be."""

from __future__ import annotations

import array
import logging
import time
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage

from cups_ros.health import OK, WARN, Health
from cups_ros.locating import Locating
from cups_ros.rectification import Lens
from cups_ros.types import Panoptic, Segment

SIZE = (8, 12)


class Logger(logging.Logger):
    def warning(self, text: Any, **_: Any) -> None:  # type: ignore[override]
        self.told = str(text)

    error = warning  # type: ignore[assignment]


def depth_image(encoding: str, value: float) -> Image:
    data = np.full(SIZE, value, "<f4" if encoding == "32FC1" else "<u2")
    return Image(
        encoding=encoding,
        height=SIZE[0],
        width=SIZE[1],
        step=SIZE[1] * data.itemsize,
        data=array.array("B", data.tobytes()),
    )


def disparity(value: float) -> DisparityImage:
    return DisparityImage(image=depth_image("32FC1", value), f=100.0, t=0.2, min_disparity=-64.0, max_disparity=64.0)


def located(message: Image | DisparityImage) -> tuple[list[Any], Health]:
    """What is published for one answer and its depth, and what is counted."""
    published: list[Any] = []
    health = Health(stale_after_s=2.0)
    k = (10.0, 0.0, 5.5, 0.0, 10.0, 3.5, 0.0, 0.0, 1.0)
    eye = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    camera = Lens(*SIZE, "plumb_bob", (0.0,) * 5, k, eye, (*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0))
    locating = Locating(
        lambda found, header: published.append(found), lambda: camera, health, Logger("test"), lambda: (0.02, 80.0)
    )
    road = Segment(1, 0, False, 1.0, SIZE[0] * SIZE[1], (0, 0, SIZE[1], SIZE[0]), 0)
    locating.answer(Panoptic(np.ones(SIZE, np.uint8), np.zeros(SIZE, np.uint16), (road,)), Header())
    locating.depth(message)
    ends = time.monotonic() + 5
    while not (health.counts.measured or health.counts.unmeasured) and time.monotonic() < ends:
        time.sleep(0.01)
    locating.close()
    return published, health


@pytest.mark.parametrize("message", [disparity(4), depth_image("16UC1", 5000), depth_image("32FC1", 5)])
def test_a_depth_that_can_be_used_is_measured(message: Image | DisparityImage) -> None:
    published, health = located(message)
    assert len(published) == 1 and len(published[0]) == 1
    assert (health.counts.measured, health.counts.unmeasured) == (1, 0)
    assert health.report(1.0, "active", 0.5).level == OK


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (disparity(-4), "-4 to -4 px; a disparity is above 0"),
        (disparity(0), "no value but 0"),
        (disparity(float("nan")), "no value but 0"),
        (depth_image("16UC1", 0), "no value but 0"),
        (depth_image("16UC1", 5), "5 to 5 mm"),
        (depth_image("32FC1", 5000), "5000 to 5000 m; 32FC1 is in metres"),  # written in millimetres
        (depth_image("32FC1", float("inf")), "no value but 0"),
    ],
)
def test_a_depth_without_a_usable_pixel_is_told_and_says_nothing_of_the_road(
    message: Image | DisparityImage, found: str
) -> None:
    published, health = located(message)
    assert published == []  # no markers would mean that nothing is there
    assert (health.counts.measured, health.counts.unmeasured) == (0, 1)
    assert found in health.last_error and "expected a pixel of 0.1 to 80 m" in health.last_error
    assert health.report(1.0, "active", 0.5).level == WARN
