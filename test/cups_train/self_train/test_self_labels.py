"""What a teacher says becomes labels."""

from __future__ import annotations

import numpy as np
import torch

from cups_train.network import Detections
from cups_train.published import self_labels as published
from cups_train.self_train.self_labels import LabelRule, self_label, semantic_labels
from cups_train.self_train.views import Consensus


def test_the_two_rules_of_semantic_labels():
    columns = [(0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.29, 0.2, 0.51), (0.28, 0.24, 0.24), (0.29, 0.26, 0.2)]
    probabilities = torch.tensor(columns).T.reshape(3, 1, 5)
    assert semantic_labels(probabilities[:, :, :2], 0.5).tolist() == [[0, 1]]
    assert semantic_labels(probabilities, 0.5).tolist() == [[0, 1, 2, 255, 255]]
    assert published.semantic_labels(probabilities, 0.5).tolist() == [[0, 1, 2, 255, 1]]


def test_self_label_draws_sure_instances_without_overlap(make_classes):
    boxes = torch.tensor([[4.0, 4, 24, 24], [14, 4, 34, 24], [40, 4, 60, 24]])
    found = Detections(boxes, torch.tensor([0.95, 0.9, 0.6]), torch.tensor([1, 0, 0]))
    teacher = Consensus(found, torch.ones(3, 28, 28), torch.zeros(3, 32, 64))
    semantic = np.full((32, 64), 2, np.uint8)
    image = np.zeros((32, 64, 3), np.uint8)
    for unsure, ignored in ((0.7, 0), (0.65, 0), (0.5, 400)):
        sample = self_label(image, teacher, semantic, LabelRule(make_classes(), 0.7, unsure, ignore_unknown=True))
        assert sample.thing.tolist() == [1, 0]
        assert np.bincount(sample.instance.ravel()).tolist() == [32 * 64 - 600, 400, 200]
        assert (sample.semantic[4:24, 40:60] == (255 if ignored else 2)).all()  # the third is unsure
        assert np.count_nonzero(sample.semantic == 255) == ignored  # as published: instances do not force their pixels
    thing_pixels = semantic.copy()
    thing_pixels[:, :60] = 0  # over the first two instances and much else
    for ignore in (True, False):
        sample = self_label(image, teacher, thing_pixels, LabelRule(make_classes(), 0.7, 0.7, ignore_unknown=ignore))
        assert (sample.semantic[sample.instance > 0] == thing_pixels[sample.instance > 0]).all()
        assert (sample.semantic[(sample.instance == 0) & (thing_pixels == 0)] == (255 if ignore else 0)).all()
