"""The refinement begins as its guess."""

import pytest
import torch

from cups_train.flow.learned.refiner import Refiner, best_displacements, fetch, match_costs


def test_begins_as_its_guess():
    network = Refiner()
    guessed = torch.randn(2, 2, 61, 90)
    out = network(torch.rand(2, 3, 61, 90), torch.rand(2, 3, 61, 90), guessed, torch.zeros(2, 1, 61, 90))
    assert (out - guessed).abs().max() < 1e-5
    torch.nn.init.normal_(network.answer.weight)
    out = network(torch.rand(2, 3, 61, 90), torch.rand(2, 3, 61, 90), guessed, torch.zeros(2, 1, 61, 90))
    assert (out - guessed).abs().max() > 0.1
    assert sum(p.numel() for p in network.parameters()) < 1.5e6


def test_fetch_and_costs_find_a_shift():
    image = torch.randn(1, 1, 48, 64)
    image = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    moved = torch.roll(image, (1, 2), (2, 3))  # one down, two to the right
    there = fetch(moved, torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 48, 64))
    assert there[..., 3:45, 3:60].numpy() == pytest.approx(image[..., 3:45, 3:60].numpy(), abs=1e-4)
    costs = match_costs(image, moved)
    assert [c.shape for c in costs] == [(1, 25, 12, 16)] * 3
    assert (costs[0].argmin(1)[..., 2:-2, 2:-2] == 5 * 3 + 4).all()  # row 1, column 2 of -2..2
    best = best_displacements(costs)[0][..., 2:-2, 2:-2]
    assert best[0, 0].median() == pytest.approx(2, abs=0.2) and best[0, 1].median() == pytest.approx(1, abs=0.2)
