"""One random run of the published clustering."""

import numpy as np
import pytest

from cups_train.published.motion_clusters import normal_tail


def test_a_tail_is_zero_where_single_precision_says_so():
    assert normal_tail(np.array([2.0, 5.4])) == pytest.approx([0.0455, 0], abs=1e-5)
