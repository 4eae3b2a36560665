"""Which method the settings name."""

import pytest

from cups_train.config import MotionConfig
from cups_train.motion.method import method_of


@pytest.mark.parametrize(
    ("method", "neighbours"), [("residual_and_rigid", True), ("residual", True), ("rigid", True), ("published", False)]
)
def test_neighbouring_frames_have_no_say_in_the_published_method(method, neighbours):
    assert method_of(MotionConfig(method=method)).neighbours is neighbours
