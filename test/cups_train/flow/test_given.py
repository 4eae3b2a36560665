"""Flow and disparity from files."""

import cv2
import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.files import write_image
from cups_train.flow.given import given_flow, has_given


def test_given_flow_decodes_kitti_and_names_a_file_that_does_not_fit(tmp_path):
    coded = np.zeros((4, 6, 3), np.uint16)
    coded[..., 0], coded[..., 1], coded[..., 2] = 32768 + 64 * 3, 32768 - 32, 1
    coded[0, 0, 2] = 0
    cv2.imwrite(str(tmp_path / "000003_flow.png"), coded[..., ::-1])
    write_image(tmp_path / "000003_disp.png", np.full((4, 6), 512, np.uint16))
    write_image(tmp_path / "000003_disp_next.png", np.full((4, 6), 640, np.uint16))
    flow = given_flow(tmp_path, "000003", (4, 6))
    assert flow.flow[2, 2].tolist() == [3.0, -0.5] and flow.disparity[1, 1] == 2 and flow.disparity_next[1, 1] == 2.5
    assert not flow.flow_ok[0, 0] and flow.flow_ok[1:].all()
    assert has_given(tmp_path, "000003") and not has_given(tmp_path, "000004")
    with pytest.raises(ResultError, match="--given"):
        given_flow(tmp_path, "000003", (4, 7))
