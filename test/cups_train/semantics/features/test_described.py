from dataclasses import replace

import numpy as np
import pytest
import torch

from cups_train.network.encoder import Encoder, EncoderSpec, encode
from cups_train.semantics.channels import image_channels
from cups_train.semantics.clusters import Scaler
from cups_train.semantics.descriptors import Projection, descriptors
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.network import build_features
from cups_train.semantics.groups import IMAGE_GROUPS, SHAPE, SHAPE_GROUPS


@pytest.fixture(scope="module")
def described():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    encoder = Encoder(EncoderSpec(16, 5, SHAPE)).eval()
    projection = Projection(
        rng.normal(size=16).astype(np.float32), rng.normal(size=(16, 16)).astype(np.float32), True, averaging=0
    )
    count = sum(group.channels for group in projection.groups)
    scaler = Scaler(rng.normal(size=count).astype(np.float32), rng.uniform(0.5, 2, count).astype(np.float32))
    return encoder, projection, scaler, DescribedFeatures.of(encoder, projection, scaler).eval()


def tensors(image):
    rows = torch.linspace(-1, 1, image.shape[0])[None, None, :, None].expand(1, 1, -1, image.shape[1])
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255, rows


IMAGE = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
GEOMETRY = np.random.default_rng(2).normal(size=(SHAPE, 16, 24)).astype(np.float32)


@pytest.mark.parametrize("averaging", [0, 2])
def test_with_shape_it_is_the_scaled_description(described, averaging):
    encoder, projection, scaler, _ = described
    projection = replace(projection, averaging=averaging)
    network = DescribedFeatures.of(encoder, projection, scaler).eval()
    out = encode(encoder, IMAGE[None])
    joined = descriptors(image_channels(IMAGE), GEOMETRY, torch.cat([out.features[0], out.moving]).numpy(), projection)
    expected = ((joined - scaler.mean[:, None, None]) * scaler.scale[:, None, None])[:-1]  # what moves is left out
    names = np.repeat([group.name for group in projection.groups], [group.channels for group in projection.groups])[:-1]
    expected[(names == "raised") | (names == "top")] *= np.sqrt(2)
    with torch.no_grad():
        found = network(*tensors(IMAGE), torch.from_numpy(GEOMETRY)[None])[0].numpy()
    assert len(found) == network.channels
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_without_shape_the_encoders_guess_stands_in(described):
    encoder, _, _, network = described
    with torch.no_grad():
        found, known = network(*tensors(IMAGE)), network(*tensors(IMAGE), torch.from_numpy(GEOMETRY)[None])
        guess = encoder(*tensors(IMAGE)).shape[0]
    first = sum(group.channels for group in IMAGE_GROUPS)
    part = slice(first, first + SHAPE)
    groups = [(g.channels, g.variance * {"raised": 2, "top": 2}.get(g.name, 1)) for g in SHAPE_GROUPS]
    weights = np.concatenate([np.full(channels, np.sqrt(variance / channels)) for channels, variance in groups])
    np.testing.assert_allclose(found[0, part], guess * torch.from_numpy(weights).float()[:, None, None], atol=1e-5)
    np.testing.assert_allclose(found[0, :first], known[0, :first], atol=1e-5)
    np.testing.assert_allclose(found[0, part.stop :], known[0, part.stop :], atol=1e-5)


def test_a_window_has_the_rows_of_its_image(described):
    network = described[3]
    image, rows = tensors(IMAGE)
    with torch.no_grad():
        found = network(image[..., 32:, :], rows[..., 32:, :])
        top = network(image[..., 32:, :], rows[..., :32, :])
    last = sum(group.channels for group in IMAGE_GROUPS) - 1
    step = 2 / 63 * 32 * network.scale[last]  # 32 of 63 steps from -1 to 1
    np.testing.assert_allclose(found[0, last] - top[0, last], np.full((8, 24), step), atol=1e-4)


def test_its_card_builds_it_again(described):
    network = described[3]
    again = build_features(network.to_json())
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(*tensors(IMAGE)), network(*tensors(IMAGE)))
