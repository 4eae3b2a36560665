"""Rows, sides and the size of the baseline are judged together, each with a way out."""

import re

import pytest

from cups_train.recording.judging import Pair, Sampled, judge_pictures
from cups_train.types import StereoCamera


def _pair(metres=0.2, given=False, rectified=True):
    return Pair("/infra2", "/infra1", StereoCamera(720, 1280, 600.0, 600.0, 640.0, 360.0, metres), given, rectified)


def _seen(off=0.1, disparity=8.0):
    return Sampled(off, disparity, 0.0, 3.0)


def test_good():
    verdict = judge_pictures(_pair(), _seen(), None)
    assert verdict.problem is None and verdict.warnings == ()


def test_a_wrong_sign_has_a_way_out():
    problem = judge_pictures(_pair(), _seen(disparity=-8.0), None).problem
    assert "/infra2 is the right camera" in problem and "wrong sign" in problem
    assert "--left /infra1 --right /infra2 -o recording.baseline=0.2" in problem
    assert judge_pictures(_pair(given=True), _seen(disparity=-8.0), None).problem.endswith(
        "swap `--left` and `--right`"
    )


@pytest.mark.parametrize(("rectified", "advice"), [(False, "rectified=true"), (True, "rectified=false")])
def test_rows_tell_which_reading_is_right(rectified, advice):
    problem = judge_pictures(_pair(rectified=rectified), _seen(off=6.0), _seen(off=0.2)).problem
    assert f"recording.{advice}" in problem and "6.0 px" in problem and "0.2 px" in problem
    both = judge_pictures(_pair(rectified=rectified), _seen(off=6.0), _seen(off=5.0)).problem
    assert "calibrate the pair anew" in both and "recording.rectified" not in both


UNITS = [(12.0, "centimetres.*=0.12"), (120.0, "millimetres.*=0.12"), (0.002, "short")]


@pytest.mark.parametrize(("metres", "words"), UNITS)
def test_the_unit_of_a_baseline(metres, words):
    warnings = judge_pictures(_pair(metres), _seen(), None).warnings
    assert len(warnings) == 1 and re.search(words, warnings[0])
    assert (
        judge_pictures(_pair(0.01), _seen(), None).warnings == judge_pictures(_pair(5.0), _seen(), None).warnings == ()
    )
