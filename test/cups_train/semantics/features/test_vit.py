import numpy as np
import pytest
import timm
import torch
from torch.nn import functional

from cups_train.semantics.features.foreign import ForeignWeights
from cups_train.semantics.features.vit import VitFeatures, VitSpec, dino_position_embedding, load_vit

SMALL = {"embed_dim": 64, "depth": 2, "num_heads": 1, "num_classes": 0}


def timm_model(name, **more):
    torch.manual_seed(3)
    model = timm.create_model(name, **SMALL, **more).eval()
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.2)
    return model


def plain_dino(state, image):
    """The original DINO forward pass, written out: (3, H, W) normalised -> (64, h, w)."""
    x = functional.conv2d(image[None], state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=8)
    h, w = x.shape[-2:]
    x = torch.cat([state["cls_token"], x.flatten(2).transpose(1, 2)], 1)
    grid = state["pos_embed"][:, 1:].reshape(1, 4, 4, 64).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, scale_factor=((h + 0.1) / 4, (w + 0.1) / 4), mode="bicubic")
    x = x + torch.cat([state["pos_embed"][:, :1], grid.flatten(2).transpose(1, 2)], 1)
    for i in range(2):
        block = {
            name.removeprefix(f"blocks.{i}."): value for name, value in state.items() if name.startswith(f"blocks.{i}.")
        }
        y = functional.layer_norm(x, (64,), block["norm1.weight"], block["norm1.bias"], 1e-6)
        q, k, v = (y @ block["attn.qkv.weight"].T + block["attn.qkv.bias"]).chunk(3, -1)
        y = torch.softmax(q @ k.transpose(1, 2) / 8, -1) @ v
        x = x + y @ block["attn.proj.weight"].T + block["attn.proj.bias"]
        y = functional.layer_norm(x, (64,), block["norm2.weight"], block["norm2.bias"], 1e-6)
        y = functional.gelu(y @ block["mlp.fc1.weight"].T + block["mlp.fc1.bias"])
        x = x + y @ block["mlp.fc2.weight"].T + block["mlp.fc2.bias"]
    x = functional.layer_norm(x, (64,), state["norm.weight"], state["norm.bias"], 1e-6)
    return x[0, 1:].T.reshape(64, h, w)


@torch.no_grad()
def test_features_of_any_size_are_those_of_the_original_network():
    state = timm_model("vit_small_patch16_224", patch_size=8, img_size=32).state_dict()
    network = load_vit(ForeignWeights(dict(state), {}, "made here"))
    images = torch.rand(2, 3, 40, 72)
    features = network(images, images)
    assert features.shape == (2, 64, 5, 9)
    mean, deviation = (np.array(v, np.float32)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for image, found in zip(images, features, strict=True):
        torch.testing.assert_close(
            found, plain_dino(state, torch.from_numpy((image.numpy() - mean) / deviation)), rtol=1e-3, atol=1e-3
        )
    assert network(torch.rand(1, 3, 45, 70), images).shape == (1, 64, 6, 9)  # rounded to whole patches


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("vit_small_patch14_dinov2", {"img_size": 56}),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56}),
        ("vit_small_patch16_dinov3", {}),
        ("vit_small_patch16_dinov3_qkvb", {}),
    ],
)
def test_later_generations_are_told_by_their_shapes(name, more):
    if not timm.is_model(name):
        pytest.skip(f"timm {timm.__version__} does not know {name}")
    model = timm_model(name, **more)
    network = load_vit(ForeignWeights(dict(model.state_dict()), {}, "made here"))
    assert network.spec.name == name
    side = more.get("img_size", 64)
    images = torch.rand(2, 3, side, side)
    model.set_input_size((side, side)) if not more else None
    tokens = model.forward_features((images - network.mean) / network.deviation)[:, model.num_prefix_tokens :]
    torch.testing.assert_close(
        network(images, images), tokens.transpose(1, 2).reshape(2, 64, side // network.spec.patch, -1)
    )
    assert network(torch.rand(1, 3, 60, 100), images).shape[-2:] == (
        round(60 / network.spec.patch),
        round(100 / network.spec.patch),
    )


@torch.no_grad()
def test_original_dinov2_keys_are_understood():
    model = timm_model("vit_small_patch14_reg4_dinov2", img_size=56)
    state = dict(model.state_dict())
    embedding = torch.cat([torch.randn(1, 1, 64), state.pop("pos_embed")], 1)
    original = {
        **state,
        "pos_embed": embedding,
        "register_tokens": state.pop("reg_token"),
        "mask_token": torch.zeros(1, 64),
    }
    original["cls_token"] = state["cls_token"] - embedding[:, :1]  # timm adds the class token's position to the token
    del original["reg_token"]
    network = load_vit(ForeignWeights(original, {}, "made here"))
    images = torch.rand(1, 3, 56, 56)
    tokens = model.forward_features((images - network.mean) / network.deviation)[:, 5:]
    torch.testing.assert_close(network(images, images), tokens.transpose(1, 2).reshape(1, 64, 4, 4))


def test_the_position_embedding_keeps_what_it_was_trained_at():
    embedding = torch.randn(1, 17, 6)
    assert dino_position_embedding(embedding, 4, 4) is embedding
    constant = torch.cat([embedding[:, :1], torch.full((1, 16, 6), 0.5)], 1)
    torch.testing.assert_close(dino_position_embedding(constant, 3, 7)[:, 1:], torch.full((1, 21, 6), 0.5))


def test_a_network_is_built_again_from_its_card():
    spec = VitSpec("vit_small_patch16_224", 8, 64, 1, 16)
    again = VitFeatures(VitSpec(**VitFeatures(spec).to_json()["spec"]))
    assert again.spec == spec and len(again.body.blocks) == 1
