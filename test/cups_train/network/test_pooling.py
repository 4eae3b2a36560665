import math

import pytest
import torch
from torchvision.ops import roi_align

from cups_train.network.boxes import clip
from cups_train.network.pooling import pool, pool_static, roi_levels


def pyramid(batch=2, channels=5):
    return tuple(torch.randn(batch, channels, 64 >> level, 96 >> level) for level in range(4))


def image_boxes(batch=2, number=60):
    centre, side = (
        torch.rand(batch, number, 2) * torch.tensor([384.0, 256.0]),
        torch.rand(batch, number, 2) ** 3 * 600 + 2,
    )
    return clip(torch.cat([centre - side / 2, centre + side / 2], dim=2), (256, 384))


def test_levels_follow_the_published_formula():
    sides = torch.tensor([5.0, 111.9, 112.1, 223.9, 224.1, 447.9, 448.1, 3000.0])
    boxes = torch.stack([torch.zeros(8), torch.zeros(8), sides, sides], dim=1)
    expected = [min(5, max(2, math.floor(4 + math.log2(s / 224 + 1e-8)))) - 2 for s in sides.tolist()]
    assert roi_levels(boxes).tolist() == expected


@pytest.mark.parametrize("side", [7, 14])
def test_static_pooling_equals_torchvision(side):
    levels, boxes = pyramid(), image_boxes()
    expected = []
    for image in range(2):
        for box, level in zip(boxes[image], roi_levels(boxes[image]).tolist(), strict=True):
            feature = levels[level][image : image + 1]
            expected.append(roi_align(feature, [box[None]], side, 1 / (4 << level), 2, aligned=True)[0])
    assert (pool_static(levels, boxes, side) - torch.stack(expected)).abs().max() < 1e-4
    assert (pool(levels, list(boxes), side) - torch.stack(expected)).abs().max() < 1e-6


def test_pooling_sends_gradients_to_the_level_it_read():
    levels = tuple(level.requires_grad_() for level in pyramid())
    pool(levels, [torch.tensor([[0.0, 0, 50, 50]]), torch.zeros(0, 4)], 7).sum().backward()
    assert [bool(level.grad.abs().sum() > 0) for level in levels] == [True, False, False, False]


def test_pooling_a_linear_ramp_gives_bin_centres():
    ramp = torch.arange(96.0).expand(1, 1, 64, 96) * 4 + 2  # at P2 a cell's value is the x of its centre in the image
    levels = (ramp, *pyramid(1, 1)[1:])
    pooled = pool_static(levels, torch.tensor([[[40.0, 40, 68, 68]]]), 7)
    assert torch.allclose(pooled[0, 0, 0], 40 + 28 * (torch.arange(7) + 0.5) / 7, atol=1e-3)
