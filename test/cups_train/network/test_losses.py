import math

import pytest
import torch
from torch.nn import functional

from cups_train.network import LossOptions, Target
from cups_train.network.box_heads import ScaleGradient, match, sample_rois
from cups_train.network.drop_loss import roi_weights
from cups_train.network.mask_head import crop_masks
from cups_train.network.matching import anchor_labels, sample
from cups_train.network.rpn import rpn_losses
from cups_train.network.semantic_head import semantic_loss


def test_drop_loss_weights_of_the_specification(make_target):
    target = make_target((0, 0, 10, 10), (40, 0, 50, 10))
    rois = torch.tensor([[0.0, 0, 10, 9], [40, 0, 50, 5], [0, 0, 4, 10], [70, 40, 80, 50]])  # best IoU 0.9, 0.5, 0.4, 0
    assert roi_weights(rois, target, LossOptions(drop_iou=0.4)).tolist() == [1, 1, 0, 0]
    assert roi_weights(rois, target, LossOptions(drop_iou=None)).tolist() == [1, 1, 1, 1]


def test_drop_loss_without_targets_drops_every_roi(make_target):
    assert roi_weights(torch.tensor([[0.0, 0, 9, 9], [5, 5, 20, 20]]), make_target(), LossOptions()).tolist() == [0, 0]


def test_known_background_is_still_punished(make_target):
    target = make_target((0, 0, 20, 20))
    target.semantic[:, 48:] = 255
    # stuff, unlabelled, part of the object, the object
    rois = torch.tensor([[0.0, 30, 20, 50], [60, 0, 80, 20], [0, 0, 8, 8], [0, 0, 18, 20]])
    assert roi_weights(rois, target, LossOptions()).tolist() == [0, 0, 0, 1]
    assert roi_weights(rois, target, LossOptions(known_background=True)).tolist() == [1, 0, 1, 1]


def test_anchor_labels_of_the_plain_rule(make_target):
    target = make_target((0, 0, 20, 20), (40, 0, 60, 20))
    # IoU .8 .45 .25 0 .6
    anchors = torch.tensor([[0.0, 0, 20, 16], [0, 0, 20, 9], [0, 0, 20, 5], [70, 30, 90, 50], [40, 0, 52, 20]])
    labels, index = anchor_labels(anchors, target, LossOptions())
    assert labels.tolist() == [1, -1, 0, 0, 1]  # the last one is its object's best anchor
    assert index[[0, 4]].tolist() == [0, 1]


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


def test_rois_hold_the_targets_and_a_quarter_foreground(make_target):
    target = make_target((0, 0, 20, 20), things=[1])
    proposals = torch.tensor([[50.0, 30, 60 + i, 40 + i] for i in range(20)])
    rois = sample_rois(proposals, target, LossOptions(rois=8), background=2)
    assert rois.thing.tolist() == [1] + [2] * 7 and rois.boxes[0].tolist() == [0, 0, 20, 20]


def test_match_follows_the_threshold(make_target):
    target = make_target((0, 0, 10, 10), things=[1])
    boxes = torch.tensor([[0.0, 0, 10, 5.5], [0, 0, 10, 6.5], [0, 0, 10, 8]])
    assert [match(boxes, target, t, 2).thing.tolist() for t in (0.5, 0.6, 0.7)] == [[1, 1, 1], [2, 1, 1], [2, 2, 1]]


def test_rpn_losses_by_hand(make_target):
    target = make_target((0, 0, 20, 20))
    anchors = torch.tensor([[0.0, 0, 20, 20], [2, 0, 22, 20], [60, 30, 80, 50]])  # IoU 1, 0.818, 0
    logits, deltas = torch.tensor([[2.0, 0.0, -1.0]]), torch.zeros(1, 3, 4)
    found = rpn_losses(logits, deltas, anchors, [target], LossOptions(rpn_samples=4))
    assert float(found["rpn_cls"]) == pytest.approx(
        (math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.exp(-1))) / 4, rel=1e-5
    )
    assert float(found["rpn_box"]) == pytest.approx(0.1 / 4, rel=1e-4)


def test_semantic_loss_is_finite_without_supervision():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = semantic_loss(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0 and float(logits.grad.abs().sum()) == 0
    target = torch.full((1, 4, 4), 255)
    target[0, 0, 0] = 2
    assert float(semantic_loss(logits, target)) == pytest.approx(
        float(functional.cross_entropy(logits[0, :, 0, 0][None], torch.tensor([2])))
    )


def test_masks_are_read_inside_their_boxes():
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[1, 10:38, 20:34] = True  # left half of the box below
    goal = crop_masks(masks, torch.tensor([1, 0]), torch.tensor([[20.0, 10, 48, 38], [20.0, 10, 48, 38]]))
    assert goal[0, :, :14].min() == 1 and goal[0, :, 14:].max() == 0 and goal[1].max() == 0


def test_scaled_gradient():
    x = torch.ones(3, requires_grad=True)
    y = ScaleGradient.apply(x, 1 / 3)
    y.sum().backward()
    assert torch.equal(y, x) and x.grad.tolist() == pytest.approx([1 / 3] * 3)


def test_targets_check_their_shapes():
    with pytest.raises(ValueError, match="expected boxes"):
        Target(
            torch.zeros(2, 4),
            torch.zeros(1, dtype=torch.long),
            torch.zeros(2, 4, 4, dtype=torch.bool),
            torch.zeros(4, 4, dtype=torch.long),
        )
