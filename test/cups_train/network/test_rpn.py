"""Losses of the proposals, by hand."""

import math

import pytest
import torch

from cups_train.network import LossOptions
from cups_train.network.rpn import rpn_losses


def test_rpn_losses_by_hand(make_target):
    target = make_target((0, 0, 20, 20))
    anchors = torch.tensor([[0.0, 0, 20, 20], [2, 0, 22, 20], [60, 30, 80, 50]])  # IoU 1, 0.818, 0
    logits, deltas = torch.tensor([[2.0, 0.0, -1.0]]), torch.zeros(1, 3, 4)
    found = rpn_losses(logits, deltas, anchors, [target], LossOptions(rpn_samples=4))
    assert float(found["rpn_cls"]) == pytest.approx(
        (math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.exp(-1))) / 4, rel=1e-5
    )
    assert float(found["rpn_box"]) == pytest.approx(0.1 / 4, rel=1e-4)
