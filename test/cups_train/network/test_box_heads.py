"""Regions that the box heads learn from."""

import pytest
import torch
from torchvision.ops import batched_nms

from cups_train.network import LossOptions
from cups_train.network.box_heads import NMS_IOU, ScaleGradient, best_detections, match, sample_rois


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


def test_scores_of_any_thing_know_one_object_where_those_of_each_class_know_two():
    """A rider on a horse is two objects of two classes; a car between two pseudo classes of cars is one."""
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 1, 10, 11], [40, 40, 50, 50]]])
    scores = torch.tensor([[[0.9, 0.05], [0.1, 0.8], [0.4, 0.5]]])
    any_thing = best_detections(boxes, scores, 4)
    assert any_thing.scores[0].tolist() == pytest.approx([0.95, 0.9, 0, 0]) and any_thing.thing[0, :2].tolist() == [
        0,
        1,
    ]
    per_class = best_detections(boxes, scores, 4, "per_class")
    assert per_class.scores[0].tolist() == pytest.approx([0.9, 0.8, 0.5, 0.4])
    assert per_class.thing[0].tolist() == [0, 1, 1, 0] and per_class.boxes[0, 1].tolist() == [0, 1, 10, 11]


def test_scores_of_each_class_are_those_of_torchvision():
    random = torch.Generator().manual_seed(3)
    corner = 40 * torch.rand(2, 60, 2, generator=random)
    boxes = torch.cat([corner, corner + 5 + 20 * torch.rand(2, 60, 2, generator=random)], dim=2)
    scores = torch.rand(2, 60, 4, generator=random).softmax(2)[:, :, :3]
    found = best_detections(boxes, scores, 40, "per_class")
    for row in range(2):
        flat, thing = scores[row].flatten(), torch.arange(3).repeat(60)
        kept = batched_nms(boxes[row].repeat_interleave(3, 0), flat, thing, NMS_IOU)[:40]
        assert torch.equal(found.scores[row], flat[kept]) and torch.equal(found.thing[row], thing[kept])
