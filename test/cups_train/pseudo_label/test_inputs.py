"""Motion and classes that do not fit each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.files import read_json
from cups_train.pseudo_label.inputs import frame_inputs


def _read(folder: Path, recording: object) -> None:
    for item in list(frame_inputs(recording, folder / "motion" / "drive", folder / "semantics" / "drive")):
        item.read(6)


def test_input_that_does_not_fit(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    cv2.imwrite(str(tmp_path / "semantics" / "drive" / "000001.png"), np.full((48, 80), 9, np.uint8))
    with pytest.raises(ResultError, match="expected classes 1 to 6 .* found 9 to 9"):
        _read(tmp_path, recording)
    cv2.imwrite(str(tmp_path / "semantics" / "drive" / "000001.png"), np.ones((4, 4), np.uint8))
    with pytest.raises(ResultError, match="of the size of the objects"):
        _read(tmp_path, recording)
    tree = read_json(tmp_path / "motion" / "drive" / "motion.json")
    (tmp_path / "motion" / "drive" / "motion.json").write_text(json.dumps({"frames": tree["frames"][:3]}))
    with pytest.raises(ResultError, match="expected frame 000003 of drive"):
        _read(tmp_path, recording)
    (tmp_path / "motion" / "drive" / "motion.json").write_text(json.dumps({"frames": [{"key": "000000"}]}))
    with pytest.raises(ResultError, match="`cups-train motion` makes it again"):
        _read(tmp_path, recording)
