"""Features of a small street that the heads' tests learn on."""

import pytest

from cups_train.config import SemanticsConfig
from cups_train.semantics import learn_classes
from cups_train.semantics.features.network import ScratchFeatures
from cups_train.semantics.head.classes import HeadSettings
from cups_train.semantics.head.crops import write_dense
from cups_train.semantics.prepared import PreparedFrames
from cups_train.semantics.preparing import choose_frames, prepare_all
from cups_train.semantics.training import new_encoder
from cups_train.types import Work


@pytest.fixture(scope="session")
def small_head():
    return SemanticsConfig(
        clusters=5,
        channels=16,
        steps=2,
        cluster_steps=2,
        batch=2,
        height=64,
        head="stego",
        head_steps=6,
        head_batch=4,
        code=8,
    )


@pytest.fixture(scope="session")
def dense(tmp_path_factory, make_street, small_head):
    street = make_street(frames=4)
    frames = tuple(prepare_all(choose_frames([street], 10, tmp_path_factory.mktemp("state"), None), 64, 0, 1))
    features = ScratchFeatures(new_encoder(small_head, 0, "cpu").eval())
    return features, write_dense(features, PreparedFrames(frames, (street.camera,) * len(frames)))


@pytest.fixture(scope="session")
def settings():
    return HeadSettings(classes=5, code=8, steps=6, lr=5e-3)


@pytest.fixture(scope="session")
def learned_head(tmp_path_factory, make_street, small_head):
    out = tmp_path_factory.mktemp("stego")
    learn_classes([make_street()], out, small_head, Work(3, 1, "cpu"))
    return out
