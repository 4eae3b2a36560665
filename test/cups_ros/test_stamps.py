from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cups_ros.stamps import nanoseconds, sec_nanosec, stamp_ns


def test_seconds_and_nanoseconds_there_and_back() -> None:
    assert stamp_ns(SimpleNamespace(stamp=SimpleNamespace(sec=12, nanosec=34))) == 12_000_000_034
    for stamp in (0, 1, 999_999_999, 1_700_000_000_123_456_789, -1):
        assert nanoseconds(*sec_nanosec(stamp)) == stamp
    assert nanoseconds(np.int32(2**31 - 1), np.uint32(999_999_999)) == 2_147_483_647_999_999_999  # no overflow
