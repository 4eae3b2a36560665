import numpy as np
import pytest
import torch

from cups_train.errors import ModelError
from cups_train.semantics.encoder import Encoder, EncoderSpec
from cups_train.semantics.features import ScratchFeatures
from cups_train.semantics.head import HeadNetwork, HeadSpec, check_published, published_head
from cups_train.semantics.head.crops import five_crops, neighbours
from cups_train.semantics.head.probe import calibrated_sharpness, fit_probe, mutual_information


def test_the_probe_finds_directions_whatever_the_length():
    rng = np.random.default_rng(0)
    directions = np.eye(4)[rng.choice(4, 2000, p=[0.4, 0.3, 0.2, 0.1])]
    codes = (directions + rng.normal(0, 0.05, directions.shape)) * rng.uniform(0.1, 10, (2000, 1))
    centres = fit_probe(codes, 4, np.random.default_rng(1))
    np.testing.assert_allclose(centres, np.eye(4), atol=0.05)  # the largest cluster first


def test_mutual_information_by_hand():
    a = np.array([0, 0, 1, 1])
    assert mutual_information(a, a, 2) == pytest.approx(np.log(2))
    assert mutual_information(a, np.array([0, 1, 0, 1]), 2) == pytest.approx(0)
    assert mutual_information(np.zeros(4, int), np.zeros(4, int), 2) == 0  # collapsed: they agree and tell nothing


def test_probabilities_are_as_sure_as_views_agree():
    cosine = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    alpha = calibrated_sharpness(cosine, np.arange(3), 0.8)
    p = np.exp(alpha) / (np.exp(alpha) + 1 + np.exp(-alpha))
    assert p == pytest.approx(0.8, abs=1e-3)
    # the centres 0 and 2 are one class: (1, -1) together
    alpha = calibrated_sharpness(cosine[:1], np.array([0, 1, 0]), 0.8)
    p = (np.exp(alpha) + np.exp(-alpha)) / (np.exp(alpha) + 1 + np.exp(-alpha))
    assert p == pytest.approx(0.8, abs=1e-3)


def test_neighbours_lie_in_other_frames():
    means = np.array([[1.0, 0], [1, 0.01], [1, 0.5], [0, 1], [0.1, 1]] + [[-1.0, 0.01 * i] for i in range(8)])
    frames = np.array([0, 0, 9, 9, 20, *range(30, 110, 10)])
    found = neighbours(means, frames)
    assert found.shape == (13, 7)
    assert found[0, 0] == 2 and 1 not in found[0]  # the other crop of its own frame is nearer, but left out
    assert found[3, 0] == 4


def test_crops_lie_in_the_corners_and_the_middle():
    crops = five_crops(3, 16, 32)
    assert [(c.frame, c.top, c.left, c.side) for c in crops] == [(3, 0, 0, 12), (3, 0, 20, 12), (3, 4, 0, 12), (3, 4, 20, 12), (3, 2, 10, 12)]
    maps = np.arange(16 * 32).reshape(1, 16, 32)
    np.testing.assert_array_equal(crops[3].of(maps)[0], maps[0, 4:16, 20:32])


def small_features():
    torch.manual_seed(0)
    return ScratchFeatures(Encoder(EncoderSpec(16, 5, 8)).eval())


def test_the_probability_of_a_class_is_the_sum_of_its_centres():
    features = small_features()
    network = HeadNetwork(HeadSpec(features.to_json(), 0, 6, 4, 2), features).eval()
    network.centres.copy_(torch.randn(4, 6))
    network.class_of_centre.copy_(torch.tensor([0, 1, 1, 0]))
    code = torch.randn(1, 6, 3, 5)
    unit = network.centres / network.centres.norm(dim=1, keepdim=True)
    centre = torch.softmax(2 * torch.einsum("kc,bchw->bkhw", unit, code / code.norm(dim=1, keepdim=True)), 1)
    expected = torch.stack([centre[:, 0] + centre[:, 3], centre[:, 1] + centre[:, 2]], 1)
    torch.testing.assert_close(network.log_probability(code).exp(), expected)


def test_a_published_head_is_taken_as_it_is():
    features = small_features()
    shapes = {"linear.weight": (7, 16, 1, 1), "linear.bias": (7,), "hidden.weight": (16, 16, 1, 1), "hidden.bias": (16,),
              "nonlinear.weight": (7, 16, 1, 1), "nonlinear.bias": (7,), "centres": (3, 7)}
    head = {name: torch.randn(shape) for name, shape in shapes.items()}
    network = published_head(features, head)
    images, rows = torch.rand(1, 3, 32, 64), torch.zeros(1, 1, 32, 64)
    with torch.no_grad():
        f = features(images, rows)

        def conv(name, x):
            return torch.einsum("oc,bchw->bohw", head[f"{name}.weight"][..., 0, 0], x) + head[f"{name}.bias"][:, None, None]

        code = conv("linear", f) + conv("nonlinear", torch.relu(conv("hidden", f)))
        unit = head["centres"] / head["centres"].norm(dim=1, keepdim=True)
        expected = torch.log_softmax(2 * torch.einsum("kc,bchw->bkhw", unit, code / code.norm(dim=1, keepdim=True)), 1)
        torch.testing.assert_close(network(images, rows).logits, expected)
    with pytest.raises(ModelError, match=r"found 3; set -o semantics\.classes=3"):
        check_published(head, 27)
    with pytest.raises(ModelError, match=r"semantics\.weights"):
        check_published({}, 3)
