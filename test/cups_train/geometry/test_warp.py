"""The warp at the borders."""

import numpy as np
import pytest

from cups_train.geometry.warp import warp


def test_warp_is_exact_at_both_borders():
    """A ramp shifted by a quarter pixel: a half-pixel shear would show at the borders."""
    ramp = np.repeat(np.arange(20, dtype=np.float32)[None], 5, 0)
    flow = np.zeros((5, 20, 2), np.float32)
    flow[..., 0] = 0.25
    out, inside = warp(ramp, flow)
    assert out[:, :-1] == pytest.approx(ramp[:, :-1] + 0.25)
    assert inside[:, :-1].all() and not inside[:, -1].any()
