import numpy as np
import pytest
import torch

from cups_train.errors import ModelError
from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.semantics.features.network import ScratchFeatures
from cups_train.semantics.head.classes import sample_codes
from cups_train.semantics.head.untrained import check_published, linear_head, new_head, published_head


def test_clusters_of_the_features_need_no_training(dense, settings):
    features, frames = dense
    network = linear_head(new_head(features, frames, settings, 1), frames, settings, 1)
    codes = sample_codes(network, frames, 10**6, np.random.default_rng(0))
    assert np.abs(codes.mean(0)).max() < 1e-2 * codes.std()
    covariance = np.cov(codes.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.01 * covariance.max()


def test_a_published_head_is_taken_as_it_is():
    torch.manual_seed(0)
    features = ScratchFeatures(Encoder(EncoderSpec(16, 5, 8)).eval())
    shapes = {
        "linear.weight": (7, 16, 1, 1),
        "linear.bias": (7,),
        "hidden.weight": (16, 16, 1, 1),
        "hidden.bias": (16,),
        "nonlinear.weight": (7, 16, 1, 1),
        "nonlinear.bias": (7,),
        "centres": (3, 7),
    }
    head = {name: torch.randn(shape) for name, shape in shapes.items()}
    network = published_head(features, head)
    images, rows = torch.rand(1, 3, 32, 64), torch.zeros(1, 1, 32, 64)
    with torch.no_grad():
        f = features(images, rows)

        def conv(name, x):
            return (
                torch.einsum("oc,bchw->bohw", head[f"{name}.weight"][..., 0, 0], x)
                + head[f"{name}.bias"][:, None, None]
            )

        code = conv("linear", f) + conv("nonlinear", torch.relu(conv("hidden", f)))
        unit = head["centres"] / head["centres"].norm(dim=1, keepdim=True)
        expected = torch.log_softmax(2 * torch.einsum("kc,bchw->bkhw", unit, code / code.norm(dim=1, keepdim=True)), 1)
        torch.testing.assert_close(network(images, rows).logits, expected)
    with pytest.raises(ModelError, match=r"found 3; set -o semantics\.clusters=3"):
        check_published(head, 27)
    with pytest.raises(ModelError, match=r"semantics\.weights"):
        check_published({}, 3)
