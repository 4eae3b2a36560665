"""Scene flow by the matcher that the settings name."""

import cv2
import numpy as np
import pytest
import torch

from cups_train.config import MotionConfig
from cups_train.flow.learned.checkpoint import save
from cups_train.flow.learned.refiner import Refiner
from cups_train.flow.open import open_matcher, scene_flow
from cups_train.types import StereoCamera, StereoFrame


def test_scene_flow_of_two_shifted_frames():
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (128, 300, 3), np.uint8).astype(np.float32), (0, 0), 1.5)
    texture = np.clip(4 * (texture - 128) + 128, 0, 255).astype(np.uint8)
    camera = StereoCamera(128, 256, 200, 200, 128, 64, 0.2)
    now = StereoFrame("000000", 0, texture[:, 20:276], texture[:, 26:282], camera)
    after = StereoFrame("000001", 1, texture[:, 17:273], texture[:, 23:279], camera)  # everything 3 px to the right
    flow = scene_flow(now, after, MotionConfig())
    good = flow.flow_ok & flow.disparity_ok & flow.disparity_next_ok
    assert good.mean() > 0.6
    assert np.median(flow.flow[good], 0) == pytest.approx([3, 0], abs=0.15)
    assert np.median(flow.disparity[good]) == pytest.approx(6, abs=0.1)
    assert np.median(flow.disparity_next[good]) == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(("one_thread", "threads"), [(True, 1), (False, 2)])
def test_a_network_computes_with_one_thread_where_others_share_the_cores(tmp_path, one_thread, threads):
    save(Refiner(), tmp_path / "flow.safetensors", {}, [])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        open_matcher(
            MotionConfig(flow="self", flow_weights=tmp_path / "flow.safetensors"), "cpu", one_thread=one_thread
        )
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
