"""RAFT with a file of the published format, against a network that looks its windows up as the published one does."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.optical_flow import raft_large
from torchvision.models.optical_flow.raft import CorrBlock, FeatureEncoder, ResidualBlock

from cups_train.config import MotionConfig
from cups_train.errors import ModelError
from cups_train.flow.learned.matcher import Pass, RaftNetwork
from cups_train.flow.learned.raft import load_raft
from cups_train.flow.learned.weights import with_weights
from cups_train.flow.open import matcher_facts, open_matcher, scene_flow
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(128, 128, 100, 100, 63.5, 63.5, 0.2)


class RowByRow(CorrBlock):
    """The published look-up: window index (i, j), i walks y and j walks x; bilinear, zero outside; written with
    gathers, not grid_sample."""

    def index_pyramid(self, centroids_coords):
        batch, _, h, w = centroids_coords.shape
        x, y = (centroids_coords[:, i].reshape(-1) for i in (0, 1))
        levels = []
        for level, volume in enumerate(self.corr_pyramid):
            volume, values = volume[:, 0], []
            for i in range(-4, 5):
                values += [_bilinear(volume, x / 2**level + j, y / 2**level + i) for j in range(-4, 5)]
            levels.append(torch.stack(values, -1).view(batch, h, w, 81))
        return torch.cat(levels, -1).permute(0, 3, 1, 2)


def _bilinear(volume, x, y):
    n, rows, columns = volume.shape
    total = torch.zeros(n)
    for dy in (0, 1):
        for dx in (0, 1):
            u, v = x.floor() + dx, y.floor() + dy
            weight = (1 - (x - u).abs()) * (1 - (y - v).abs())
            inside = (u >= 0) & (u < columns) & (v >= 0) & (v < rows)
            total += (
                weight * inside * volume[torch.arange(n), v.clamp(0, rows - 1).long(), u.clamp(0, columns - 1).long()]
            )
    return total


@pytest.fixture(scope="module")
def published():
    """A network with the published look-up, random weights."""
    torch.manual_seed(3)
    context = FeatureEncoder(
        block=ResidualBlock, layers=(64, 64, 96, 128, 256), strides=(2, 1, 2, 2), norm_layer=nn.InstanceNorm2d
    )
    return raft_large(weights=None, context_encoder=context, corr_block=RowByRow()).eval()


@pytest.fixture(scope="module")
def weights(published, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "raft_smurf.pt"
    torch.save({f"raft.{name}": tensor for name, tensor in published.state_dict().items()}, path)
    return path


def images(seed: int, height: int = 128, width: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def frame(seed: int) -> StereoFrame:
    return StereoFrame(f"{seed:06d}", seed, images(2 * seed), images(2 * seed + 1), CAMERA)


def test_loaded_network_agrees_with_the_published_look_up(published, weights):
    first, second = torch.rand(1, 3, 128, 136), torch.rand(1, 3, 128, 136)
    with torch.inference_mode():
        want = published(2 * first - 1, 2 * second - 1, num_flow_updates=2)[-1]
        found = load_raft(weights, iterations=2)(first, second)
    assert want.abs().max() > 0.1
    assert (found - want).abs().max() < 1e-4


def test_any_size_is_padded_and_cut(weights):
    with torch.inference_mode():
        assert load_raft(weights, iterations=1)(torch.rand(1, 3, 90, 141), torch.rand(1, 3, 90, 141)).shape == (
            1,
            2,
            90,
            141,
        )


def test_passes_see_the_right_images_and_a_batch_gives_what_single_ones_give(weights, published):
    now, after = frame(0), frame(1)
    assert Pass("right", (now,)).images[0] is now.right and Pass("flow", (now, after)).images[1] is after.left
    network = RaftNetwork(load_raft(weights, 1), torch.device("cpu"))
    found = network.fields([Pass("flow", (now, after)), Pass("left", (now,))])
    with torch.inference_mode():
        batch = [
            torch.from_numpy(np.stack(pair)).permute(0, 3, 1, 2).float() / 127.5 - 1
            for pair in ((now.left, now.left), (after.left, now.right))
        ]
        want = published(*batch, num_flow_updates=1)[-1].permute(0, 2, 3, 1).numpy()
    assert np.abs(np.stack(found) - want).max() < 1e-4


def test_scene_flow_by_raft_through_the_settings(weights):
    config = MotionConfig(flow="raft", flow_weights=weights, flow_iterations=1, flow_licence="test")
    flow = scene_flow(frame(0), frame(1), config)
    assert flow.flow.shape == (128, 128, 2) and np.isfinite(flow.flow).all()
    assert matcher_facts(config)["licence"] == "test" and len(matcher_facts(config)["sha256"]) == 64


def test_bad_weights_are_one_sentence(tmp_path):
    other = tmp_path / "other.pt"
    torch.save({"raft.conv.weight": torch.zeros(3)}, other)
    code = tmp_path / "code.pt"
    torch.save({"model": nn.Conv2d(1, 1, 1)}, code)
    half = tmp_path / "half.pt"
    half.write_bytes(other.read_bytes()[:100])
    for path in (other, code, half, tmp_path / "none.pt"):
        with pytest.raises(ModelError, match="motion.flow_weights") as error:
            load_raft(path, 1)
        assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="motion.flow_weights"):
        with_weights(MotionConfig(flow="raft"), tmp_path)
    with pytest.raises(ModelError, match="motion.flow=classical"):
        open_matcher(MotionConfig(flow="raft"))
