"""Regions that the box heads learn from."""

import pytest
import torch

from cups_train.network import LossOptions
from cups_train.network.box_heads import ScaleGradient, match, sample_rois


def test_rois_hold_the_targets_and_a_quarter_foreground(make_target):
    target = make_target((0, 0, 20, 20), things=[1])
    proposals = torch.tensor([[50.0, 30, 60 + i, 40 + i] for i in range(20)])
    rois = sample_rois(proposals, target, LossOptions(rois=8), background=2)
    assert rois.thing.tolist() == [1] + [2] * 7 and rois.boxes[0].tolist() == [0, 0, 20, 20]


def test_match_follows_the_threshold(make_target):
    target = make_target((0, 0, 10, 10), things=[1])
    boxes = torch.tensor([[0.0, 0, 10, 5.5], [0, 0, 10, 6.5], [0, 0, 10, 8]])
    assert [match(boxes, target, t, 2).thing.tolist() for t in (0.5, 0.6, 0.7)] == [[1, 1, 1], [2, 1, 1], [2, 2, 1]]


def test_scaled_gradient():
    x = torch.ones(3, requires_grad=True)
    y = ScaleGradient.apply(x, 1 / 3)
    y.sum().backward()
    assert torch.equal(y, x) and x.grad.tolist() == pytest.approx([1 / 3] * 3)
