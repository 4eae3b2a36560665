"""What the refinement is taught by."""

import cv2
import numpy as np
import torch

from cups_train.flow.learned.losses import census_loss, seen_in_both, smoothness


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 300, (160, 320, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def test_losses_prefer_the_true_flow():
    ground = torch.from_numpy(texture()).permute(2, 0, 1)[None].float() / 255
    first, second = ground[..., 10:90, 20:180], ground[..., 9:89, 17:177]  # (3, 1) px
    true = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 80, 160)
    seen = seen_in_both(true, -true)
    assert seen[..., :-1, :-3].all() and not seen[..., -3:].any()
    assert census_loss(first, second, true, seen) < 0.5 * census_loss(first, second, true + 1, seen)
    v, u = torch.meshgrid(torch.arange(80.0), torch.arange(160.0), indexing="ij")
    plane = torch.stack([0.1 * u - 0.2 * v, 0.3 * v])[None]
    assert smoothness(plane, first) < 0.0025 < smoothness(plane + torch.randn(1, 2, 80, 160), first)
