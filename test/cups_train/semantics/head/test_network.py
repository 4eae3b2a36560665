import torch

from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.semantics.features.network import ScratchFeatures
from cups_train.semantics.head.network import HeadNetwork, HeadSpec


def test_the_probability_of_a_class_is_the_sum_of_its_centres():
    torch.manual_seed(0)
    features = ScratchFeatures(Encoder(EncoderSpec(16, 5, 8)).eval())
    network = HeadNetwork(HeadSpec(features.to_json(), 0, 6, 4, 2), features).eval()
    network.centres.copy_(torch.randn(4, 6))
    network.class_of_centre.copy_(torch.tensor([0, 1, 1, 0]))
    code = torch.randn(1, 6, 3, 5)
    unit = network.centres / network.centres.norm(dim=1, keepdim=True)
    centre = torch.softmax(2 * torch.einsum("kc,bchw->bkhw", unit, code / code.norm(dim=1, keepdim=True)), 1)
    expected = torch.stack([centre[:, 0] + centre[:, 3], centre[:, 1] + centre[:, 2]], 1)
    torch.testing.assert_close(network.log_probability(code).exp(), expected)
