import pickle

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from cups_train.errors import ModelError
from cups_train.network import build_network, load_checkpoint, read_checkpoint_metadata, save_checkpoint
from cups_train.network.weights import torchvision_key


def test_a_checkpoint_gives_the_same_network_back(make_tiny_spec, tmp_path):
    network = build_network(make_tiny_spec(weights=(("a.pth", "CC0"),)), seed=3)
    save_checkpoint(network, tmp_path / "c.safetensors", step=7, stage="bootstrap")
    spec, facts = read_checkpoint_metadata(tmp_path / "c.safetensors")
    assert spec == network.spec and facts == {"step": 7, "stage": "bootstrap"}
    image = torch.rand(1, 3, 64, 96)
    assert all(
        torch.equal(a, b)
        for a, b in zip(load_checkpoint(tmp_path / "c.safetensors").infer(image), network.infer(image), strict=True)
    )
    save_checkpoint(network, tmp_path / "again.safetensors", step=7, stage="bootstrap")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "c.safetensors").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "c.safetensors"]


def test_other_files_are_refused_with_one_sentence(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"abc")
    for name, text in (("other", "another file"), ("damaged", "damaged file"), ("missing", "found none")):
        with pytest.raises(ModelError, match=text):
            load_checkpoint(tmp_path / f"{name}.safetensors")


def test_the_seed_decides_the_start_and_leaves_the_random_state(make_tiny_spec):
    state = torch.random.get_rng_state()
    first, second, third = (build_network(make_tiny_spec(), seed=s).semantic_head.predictor.weight for s in (1, 1, 2))
    assert (
        torch.equal(first, second)
        and not torch.equal(first, third)
        and torch.equal(state, torch.random.get_rng_state())
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1.weight", "conv1.weight"),
        ("module.backbone.layer3.5.bn2.running_var", "layer3.5.bn2.running_var"),
        ("backbone.bottom_up.stem.conv1.norm.bias", "bn1.bias"),
        ("stem.conv1.weight", "conv1.weight"),
        ("res2.0.conv1.weight", "layer1.0.conv1.weight"),
        ("res5.2.conv3.norm.weight", "layer4.2.bn3.weight"),
        ("res3.0.shortcut.weight", "layer2.0.downsample.0.weight"),
        ("res3.0.shortcut.norm.running_mean", "layer2.0.downsample.1.running_mean"),
        ("fc.weight", None),
        ("roi_heads.mask_head.predictor.weight", None),
    ],
)
def test_names_of_all_three_kinds_of_weights(name, expected):
    assert torchvision_key(name) == expected


def detectron_key(name):
    """The table of the specification, the other way round."""
    if name.startswith("fc"):
        return name
    if name.startswith(("conv1", "bn1")):
        return name.replace("bn1", "stem.conv1.norm").replace("conv1.weight", "stem.conv1.weight")
    layer, block, part, *leaf = name.split(".")
    norm = ".norm" if part.startswith("bn") or leaf[0] == "1" else ""
    part = "shortcut" if part == "downsample" else part.replace("bn", "conv")
    return f"res{int(layer[-1]) + 1}.{block}.{part}{norm}.{leaf[-1]}"


@pytest.mark.parametrize("kind", ["safetensors", "torchvision", "detectron"])
def test_backbone_weights_are_read(make_tiny_spec, tmp_path, kind):
    state = {k: v for k, v in resnet18().state_dict().items() if not k.endswith("num_batches_tracked")}
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state if kind == "torchvision" else {"model": {detectron_key(k): v for k, v in state.items()}}, path)
    body = build_network(make_tiny_spec(norm="batch"), path).backbone.body.state_dict()
    assert all(torch.equal(body[name], state[name]) for name in state if not name.startswith("fc"))


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_unsafe_or_unfitting_weights_are_refused(make_tiny_spec, tmp_path, capsys):
    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"model": Evil()}))
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "part.pth")
    for name, text in (
        ("evil.pth", "without running code"),
        ("evil.pkl", "without running code"),
        ("part.pth", "more"),
        ("none.pth", "no file"),
    ):
        with pytest.raises(ModelError, match=text):
            build_network(make_tiny_spec(norm="batch"), tmp_path / name)
    assert "executed" not in capsys.readouterr().out
