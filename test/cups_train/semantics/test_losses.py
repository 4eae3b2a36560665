import math

import torch

from cups_train.semantics.losses import at_points, class_weights, contrast, moving_loss, shape_loss


def test_contrast_of_orthogonal_pairs():
    # two pairs, same point identical, other point orthogonal: -log(e^10 / (e^10 + 1))
    codes = torch.eye(2) * 5
    assert math.isclose(contrast(codes, codes).item(), math.log(1 + math.exp(-10)), rel_tol=1e-3)
    assert contrast(codes, codes.flip(0)).item() > 9.9


def test_points_are_sampled_at_cell_centres():
    features = torch.arange(12.0).view(1, 3, 4)
    torch.testing.assert_close(
        at_points(features, torch.tensor([[0.0, 0.0], [2.0, 1.0], [2.5, 1.5]])), torch.tensor([[0.0], [6.0], [8.5]])
    )


def test_unknown_shape_does_not_count():
    target = torch.tensor([[1.0, float("nan")]])
    predicted = torch.tensor([[3.0, 7.0]], requires_grad=True)
    loss = shape_loss(predicted, target)
    loss.backward()
    assert loss.item() == 1.5 and predicted.grad.tolist() == [[1.0, 0.0]]


def test_moving_cells_weigh_more_and_unknown_ones_nothing():
    logits = torch.zeros(4, requires_grad=True)
    loss = moving_loss(logits, torch.tensor([1, 0, 0, -1]))
    loss.backward()
    # log 2 for each; the moving one counts 6 times; mean over the three known
    assert math.isclose(loss.item(), math.log(2) * 8 / 3, rel_tol=1e-6)
    torch.testing.assert_close(logits.grad, torch.tensor([-1.0, 1 / 6, 1 / 6, 0.0]))
    assert moving_loss(logits, torch.full((4,), -1)).item() == 0


def test_class_weights_are_the_inverse_root_of_the_frequency():
    weights = class_weights(torch.tensor([900.0, 100.0, 0.0]))
    assert math.isclose(weights[1] / weights[0], 3, rel_tol=1e-6) and weights[2] == weights[1]
    assert math.isclose(0.9 * weights[0] + 0.1 * weights[1], 1, rel_tol=1e-6)
