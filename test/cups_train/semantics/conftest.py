"""A semantics folder that several tests read."""

import pytest

from cups_train.config import SemanticsConfig
from cups_train.semantics import learn_classes
from cups_train.types import Work


@pytest.fixture(scope="session")
def small_classes():
    return SemanticsConfig(clusters=5, channels=16, steps=3, cluster_steps=4, batch=2, height=64)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, make_street, small_classes):
    out = tmp_path_factory.mktemp("semantics")
    learn_classes([make_street()], out, small_classes, Work(3, 1, "cpu"))
    return out
