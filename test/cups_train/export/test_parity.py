from dataclasses import replace

import numpy as np
import pytest

from cups_ros.types import RawOutput
from cups_train.errors import ModelError
from cups_train.export.parity import LIMITS, Parity, compare, difference, probe_images
from cups_train.network import build_network


def test_onnx_runtime_answers_as_torch(exported):
    network, folder = exported
    images = [*probe_images(64, 96, 2, seed=3), np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)]
    parity = compare(network, folder / "model", images)
    parity.require()
    assert parity.instances > 0 and parity.box < 0.01 and parity.score < 1e-4


def test_another_network_fails_the_parity_check(exported):
    network, folder = exported
    other = build_network(replace(network.spec), seed=2)
    with pytest.raises(ModelError, match="same answers"):
        compare(other.eval(), folder / "model", probe_images(64, 96, 1)).require()


def raw(*rows):
    boxes, scores, kinds = zip(*rows, strict=True)
    return RawOutput(
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        np.array(kinds),
        np.zeros((len(rows), 28, 28), np.float32),
        np.zeros((4, 4), np.int32),
    )


def test_differences_pair_rows_whatever_their_order():
    first = raw(([0, 0, 9, 9], 0.8, 1), ([20, 0, 29, 9], 0.8, 1), ([0, 0, 9, 9], 0.7, 2), ([0, 0, 0, 0], 0, 0))
    second = raw(([20, 0, 29, 9.01], 0.8, 1), ([0, 0, 9, 9], 0.8, 1), ([0, 0, 0, 0], 0, 0), ([0, 0, 0, 0], 0, 0))
    found = difference(first, second)
    assert (
        (found.instances, found.unmatched) == (3, 1) and found.box == pytest.approx(0.01, abs=1e-5) and found.score == 0
    )


@pytest.mark.parametrize(("precision", "score"), [("fp32", 0.002), ("fp16", 0.06), ("int8", 0.6)])
def test_every_precision_has_its_limits(precision, score):
    sound = Parity(4, 50, 0, 0.0, 0.0, 0.0, 0.0)
    sound.require(LIMITS[precision])
    for changes in ({"score": score}, {"unmatched": 49}, {"panoptic": 0.5}, {"semantic": 0.5}, {"box": 100.0}):
        with pytest.raises(ModelError, match="same answers"):
            replace(sound, **changes).require(LIMITS[precision])
