"""Targets of an image."""

import pytest
import torch

from cups_train.network import Target


def test_targets_check_their_shapes():
    with pytest.raises(ValueError, match="expected boxes"):
        Target(
            torch.zeros(2, 4),
            torch.zeros(1, dtype=torch.long),
            torch.zeros(2, 4, 4, dtype=torch.bool),
            torch.zeros(4, 4, dtype=torch.long),
        )
