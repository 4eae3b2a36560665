"""Anchors against targets, and the draw of those that teach."""

import torch

from cups_train.network import LossOptions
from cups_train.network.matching import anchor_labels, sample


def test_anchor_labels_of_the_plain_rule(make_target):
    target = make_target((0, 0, 20, 20), (40, 0, 60, 20))
    # IoU .8 .45 .25 0 .6
    anchors = torch.tensor([[0.0, 0, 20, 16], [0, 0, 20, 9], [0, 0, 20, 5], [70, 30, 90, 50], [40, 0, 52, 20]])
    labels, index = anchor_labels(anchors, target, LossOptions())
    assert labels.tolist() == [1, -1, 0, 0, 1]  # the last one is its object's best anchor
    assert index[[0, 4]].tolist() == [0, 1]
    assert anchor_labels(anchors, target, LossOptions(rpn_iou=0.4))[0].tolist() == [1, 1, 0, 0, 1]


def test_anchor_labels_with_drop_rpn_keep_only_known_background(make_target):
    target = make_target((0, 0, 20, 20))
    target.semantic[30:50, 60:80] = 255  # an object without label
    anchors = torch.tensor([[0.0, 0, 20, 16], [0, 0, 20, 5], [60, 30, 80, 50], [66, 30, 86, 50], [0, 30, 20, 50]])
    assert anchor_labels(anchors, target, LossOptions(drop_rpn=True))[0].tolist() == [1, 0, -1, -1, 0]


def test_sampling_takes_half_positives_and_fills_up_with_negatives():
    labels = torch.tensor([1] * 10 + [0] * 10 + [-1] * 10)
    positive, negative = sample(labels, 8, 0.5, torch.Generator().manual_seed(1))
    assert (
        len(positive) == 4
        and len(negative) == 4
        and set(positive.tolist()) <= set(range(10))
        and set(negative.tolist()) <= set(range(10, 20))
    )
    positive, negative = sample(labels[9:], 8, 0.5)
    assert len(positive) == 1 and len(negative) == 7
