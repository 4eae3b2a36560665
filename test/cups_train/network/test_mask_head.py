"""Masks that the mask head learns from."""

import torch

from cups_train.network.mask_head import crop_masks


def test_masks_are_read_inside_their_boxes():
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[1, 10:38, 20:34] = True  # left half of the box below
    goal = crop_masks(masks, torch.tensor([1, 0]), torch.tensor([[20.0, 10, 48, 38], [20.0, 10, 48, 38]]))
    assert goal[0, :, :14].min() == 1 and goal[0, :, 14:].max() == 0 and goal[1].max() == 0
