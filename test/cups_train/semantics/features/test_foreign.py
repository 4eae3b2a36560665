"""Weights files of the true formats, made here: timm, the DINO projects, and Lightning checkpoints of DepthG."""

import os
import pickle
import sys
import types

import pytest
import timm
import torch
from safetensors.torch import save_file

from cups_train.errors import ModelError
from cups_train.semantics.features.foreign import read_weights
from cups_train.semantics.features.given import open_features
from cups_train.semantics.features.vit import load_vit

SMALL = {"embed_dim": 64, "depth": 2, "num_heads": 1, "num_classes": 0}


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return timm.create_model("vit_small_patch16_224", patch_size=8, img_size=32, **SMALL).eval()


def depthg_state(vit, classes=6, code=10, channels=64):
    generator = torch.Generator().manual_seed(1)

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    state = {f"net.model.{name}": value for name, value in vit.state_dict().items()}
    state |= {
        "net.cluster1.0.weight": random(code, channels, 1, 1),
        "net.cluster1.0.bias": random(code),
        "net.cluster2.0.weight": random(channels, channels, 1, 1),
        "net.cluster2.0.bias": random(channels),
        "net.cluster2.2.weight": random(code, channels, 1, 1),
        "net.cluster2.2.bias": random(code),
        "cluster_probe.clusters": random(classes, code),
        "train_cluster_probe.clusters": random(classes, code),
        "linear_probe.weight": random(classes, code, 1, 1),
        "linear_probe.bias": random(classes),
        "decoder.weight": random(channels, code, 1, 1),
    }
    return state


@pytest.fixture
def omegaconf(monkeypatch):
    """A package of OmegaConf's names, there while a checkpoint is written and gone when it is read."""
    module = types.ModuleType("omegaconf.dictconfig")
    module.DictConfig = type("DictConfig", (), {"__module__": "omegaconf.dictconfig"})
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    monkeypatch.setitem(sys.modules, "omegaconf.dictconfig", module)
    return module


def test_a_depthg_checkpoint_gives_backbone_and_head_without_its_packages(tmp_path, vit, omegaconf, monkeypatch):
    settings = omegaconf.DictConfig()
    settings.__dict__.update({"_content": {"dim": 10}, "_flags": {"allow_objects": True}})
    state = depthg_state(vit)
    path = tmp_path / "depthg.ckpt"
    torch.save(
        {
            "epoch": 3,
            "global_step": 7000,
            "pytorch-lightning_version": "1.8.0",
            "state_dict": state,
            "callbacks": {},
            "optimizer_states": [{"state": {}, "param_groups": [{"lr": 5e-4, "params": [0]}]}],
            "lr_schedulers": [],
            "hyper_parameters": {"n_classes": 6, "cfg": settings},
        },
        path,
    )
    monkeypatch.delitem(sys.modules, "omegaconf.dictconfig")
    monkeypatch.setitem(sys.modules, "omegaconf", None)  # an import of it would fail
    found = read_weights(path)
    assert set(found.backbone) == set(vit.state_dict())
    torch.testing.assert_close(found.head["centres"], state["cluster_probe.clusters"])
    torch.testing.assert_close(found.head["nonlinear.weight"], state["net.cluster2.2.weight"])
    assert len(found.head) == 7 and found.source.startswith("depthg.ckpt sha256:")


@pytest.mark.parametrize("form", ["timm.safetensors", "dino.pth", "teacher.pth", "legacy.pth"])
def test_every_form_of_the_same_weights_gives_the_same_features(tmp_path, vit, form):
    path, state = tmp_path / form, dict(vit.state_dict())
    if form == "timm.safetensors":
        save_file(state, path)
    elif form == "teacher.pth":  # a whole checkpoint of DINO's training
        wrapped = {f"module.backbone.{name}": value for name, value in state.items()} | {
            "module.head.mlp.0.weight": torch.zeros(2, 2)
        }
        torch.save(
            {"teacher": wrapped, "student": {name: value + 1 for name, value in wrapped.items()}, "epoch": 1}, path
        )
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form != "legacy.pth")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        features = load_vit(read_weights(path))(images, images)
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        tokens = vit.forward_features((images - mean) / deviation)
    torch.testing.assert_close(features, tokens[:, 1:].transpose(1, 2).reshape(2, 64, 4, 4))


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "legacy", "plain pickle", "protocol 4"])
def test_a_pickle_with_a_payload_is_refused_and_not_run(tmp_path, form):
    path, trace = tmp_path / "weights.ckpt", tmp_path / "ran"
    tree = {"state_dict": {"net.model.norm.weight": torch.zeros(2)}, "hyper_parameters": Payload(f"touch {trace}")}
    if form in ("zip", "legacy"):
        torch.save(tree, path, _use_new_zipfile_serialization=form == "zip")
    else:
        path.write_bytes(pickle.dumps(Payload(f"touch {trace}"), protocol=2 if form == "plain pickle" else 4))
    with pytest.raises(ModelError, match=r"^expected .*, found .*semantics\.weights\)$") as caught:
        read_weights(path)
    assert not trace.exists() and "\n" not in str(caught.value)
    if form in ("zip", "legacy", "plain pickle"):
        assert "posix.system" in str(caught.value)


def test_a_payload_behind_an_allowed_name_is_refused_too(tmp_path, omegaconf):
    omegaconf.DictConfig.__reduce__ = lambda self: (getattr, (omegaconf.DictConfig, "__init__"))
    path = tmp_path / "weights.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": omegaconf.DictConfig()}, path)
    with pytest.raises(ModelError, match="getattr; such a file could run code"):
        read_weights(path)


def test_what_is_no_vision_transformer_is_refused(tmp_path):
    save_file({"conv1.weight": torch.zeros(8, 3, 7, 7)}, tmp_path / "resnet.safetensors")
    with pytest.raises(ModelError, match=r"expected a vision transformer .* found conv1\.weight"):
        open_features(str(tmp_path / "resnet.safetensors"), "")
    with pytest.raises(ModelError, match="found none"):
        open_features(str(tmp_path / "none.pth"), "")
    with pytest.raises(ModelError, match=r"semantics\.weights"):
        open_features("", "")
    with pytest.raises(ModelError, match="'resnet_of_dino'"):
        open_features("timm:resnet_of_dino", "")
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    with pytest.raises(ModelError, match="damaged"):
        open_features(str(tmp_path / "cut.safetensors"), "")
    (tmp_path / "cut.pth").write_bytes(b"no torch file")
    with pytest.raises(ModelError, match=r"semantics\.weights"):
        open_features(str(tmp_path / "cut.pth"), "")


def test_weights_with_other_blocks_are_refused(tmp_path, vit):
    state = {name: value for name, value in vit.state_dict().items() if name != "blocks.1.mlp.fc1.weight"}
    save_file(state, tmp_path / "cut.safetensors")
    with pytest.raises(ModelError, match=r"blocks\.1\.mlp\.fc1\.weight"):
        open_features(str(tmp_path / "cut.safetensors"), "")


def test_the_licence_is_kept(tmp_path, vit):
    save_file(dict(vit.state_dict()), tmp_path / "dino.safetensors")
    given = open_features(str(tmp_path / "dino.safetensors"), "Apache-2.0")
    assert (
        given.origin["licence"] == "Apache-2.0"
        and given.origin["weights"].startswith("dino.safetensors sha256:")
        and given.head == {}
    )
    assert open_features(str(tmp_path / "dino.safetensors"), "").origin["licence"] == "not stated"
