import torch

from cups_train.network import LossOptions
from cups_train.network.drop_loss import roi_weights


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
