"""The semantic loss."""

import pytest
import torch
from torch.nn import functional

from cups_train.network.semantic_head import semantic_loss


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
