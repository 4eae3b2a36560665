from dataclasses import replace

import numpy as np

from cups_train.semantics.head.classes import codes_of, with_classes
from cups_train.semantics.head.distillation import Distillation
from cups_train.semantics.head.training import train_head
from cups_train.semantics.head.untrained import new_head


def test_a_trained_code_takes_other_numbers_of_classes(dense, tmp_path, settings):
    features, frames = dense
    trained = train_head(new_head(features, frames, settings, 1), frames, tmp_path, Distillation(4), settings, 1)
    network = with_classes(trained, frames, replace(settings, classes=7), 1)
    assert network.centres.shape == (7, 8)
    maps = np.asarray(frames[0].features(), np.float32)
    np.testing.assert_array_equal(codes_of(network, maps), codes_of(trained, maps))
    same = with_classes(trained, frames, settings, 1)
    assert same.spec.classes == trained.spec.classes and same.centres.shape == trained.centres.shape


def test_a_given_sharpness_is_taken(dense, settings, tmp_path):
    features, frames = dense
    trained = train_head(new_head(features, frames, settings, 1), frames, tmp_path, Distillation(4), settings, 1)
    assert with_classes(trained, frames, replace(settings, sharpness=3.5), 1).spec.sharpness == 3.5
    assert with_classes(trained, frames, settings, 1).spec.sharpness == trained.spec.sharpness
