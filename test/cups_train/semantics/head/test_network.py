import torch

from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.semantics.features.network import ScratchFeatures
from cups_train.semantics.head.network import HeadNetwork, HeadSpec


def test_probabilities_are_of_the_cosines_with_the_centres():
    torch.manual_seed(0)
    features = ScratchFeatures(Encoder(EncoderSpec(16, 5, 8)).eval())
    network = HeadNetwork(HeadSpec(features.to_json(), 0, 6, 4), features).eval()
    network.centres.copy_(torch.randn(4, 6))
    code = torch.randn(1, 6, 3, 5)
    unit = network.centres / network.centres.norm(dim=1, keepdim=True)
    expected = torch.softmax(2 * torch.einsum("kc,bchw->bkhw", unit, code / code.norm(dim=1, keepdim=True)), 1)
    torch.testing.assert_close(network.log_probability(code).exp(), expected)
