"""The motion folder: what is written comes back."""

import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.folders.motion import frame_json, read_motion, result_from
from cups_train.types import Absence, MotionResult, MovingObject, Reason


def test_json_of_a_frame_comes_back():
    item = MovingObject(1, 7, 0.75, 12, np.diag([1.0, 1.0, 1.0, 1.0]), (0.1, 1.2, 12.5), "rigid")
    result = MotionResult("000003", 30, np.zeros((4, 6), np.uint16), np.eye(4), (item,), None)
    again = result_from(frame_json(result), result.instances)
    assert again.objects[0].transform == pytest.approx(result.objects[0].transform)
    assert frame_json(again) == frame_json(result)


def test_reading_a_missing_folder_names_it(tmp_path):
    with pytest.raises(ResultError, match="motion.json"):
        read_motion(tmp_path)


def test_reasons_come_back_as_such_and_a_person_can_read_them():
    for reason in Reason:
        row = frame_json(
            MotionResult(
                "000003",
                30,
                np.zeros((4, 6), np.uint16),
                None,
                (),
                Absence(reason, "all 2 candidates rejected: too far"),
            )
        )
        assert row["reason"] == "all 2 candidates rejected: too far"
        assert result_from(row, np.zeros((4, 6), np.uint16)).absence == Absence(reason, row["reason"])


def test_a_reason_without_a_code_is_of_another_program():
    row = {"key": "000003", "stamp_ns": 30, "ego": None, "objects": [], "reason": "parked"}
    assert result_from(row, np.zeros((4, 6), np.uint16)).absence == Absence(Reason.UNKNOWN, "parked")
