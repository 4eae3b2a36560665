"""Statistics of two classes, as labels/statistics.json has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

TABLE = [
    {
        "class_id": 2,
        "n_in": 50,
        "n_all": 100,
        "n_mask": 9,
        "n_found": 9,
        "ratio": 0.5,
        "lift": 5.0,
        "supported": True,
        "isthing": True,
    },
    {
        "class_id": 1,
        "n_in": 10,
        "n_all": 100,
        "n_mask": 9,
        "n_found": 9,
        "ratio": 0.1,
        "lift": 1.0,
        "supported": True,
        "isthing": False,
    },
]


@pytest.fixture
def split() -> Callable[[str], dict[str, Any]]:
    """Rule -> how the two classes were told apart by it."""
    return lambda rule: {"rule": rule, "things": [2], "mean_ratio": 0.1, "note": None, "table": TABLE}
