"""Heads on the features of a tiny encoder, through the door that the stage uses, and of a tiny vision transformer."""
import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cups_train.config import SemanticsConfig
from cups_train.errors import CupsError, ModelError
from cups_train.semantics import load, train
from cups_train.semantics.features import ScratchFeatures
from cups_train.semantics.head import distillation, training
from cups_train.semantics.head.correspondence import REFERENCE_SHIFTS, Shifts
from cups_train.semantics.head.crops import write_dense
from cups_train.semantics.prepared import choose_frames, prepare_all
from cups_train.semantics.prepared import load as load_prepared
from cups_train.semantics.training import new_encoder

CONFIG = SemanticsConfig(classes=5, channels=16, steps=2, cluster_steps=2, batch=2, height=64, head="stego", head_steps=6, head_batch=4, code=8)


@pytest.fixture(scope="module")
def dense(tmp_path_factory, make_street):
    torch.set_num_threads(1)
    street = make_street(frames=4)
    frames = list(prepare_all(choose_frames([street], 10, tmp_path_factory.mktemp("state"), None), 64, 0, 1))
    features = ScratchFeatures(new_encoder(CONFIG, 0, "cpu").eval())
    return features, write_dense(features, frames, [street.camera] * len(frames))


def settings(steps=6):
    return training.HeadSettings(classes=5, extra=3, code=8, steps=steps, lr=5e-3)


def test_depth_stands_beside_the_features(dense):
    _, frames = dense
    inverse = np.asarray(frames[0].inverse_depth())
    assert inverse.shape == frames[0].height().shape == (16, 32) and frames[0].features().shape == (16, 16, 32)
    assert np.median(inverse) == pytest.approx(8 / 50, rel=0.05)  # 8 px of disparity at f b = 50 px m
    np.testing.assert_array_equal(frames[0].height(), load_prepared(frames[0].path).shape[0].astype(np.float32))
    assert frames[0].camera.width == 32


@pytest.mark.parametrize(("depth", "reference"), [(False, False), (True, False), (True, True)])
def test_training_lowers_the_loss_and_leaves_the_features_alone(dense, tmp_path, depth, reference):
    features, frames = dense
    before = {name: value.clone() for name, value in features.state_dict().items()}
    how = distillation.Distillation(4, depth, reference)
    network = training.new_head(features, frames, settings(), 1)
    pool = training.crop_pool(frames)
    shifts = distillation.find_shifts(network, pool, how, 1)

    def loss():
        terms = [distillation.losses(network, distillation.compare(network, pool.batch(4, 1, i), how, 1, i), how, shifts, i) for i in range(5)]
        assert all(set(t) == {"own", "neighbour", "random"} | ({"depth"} if depth else set()) for t in terms)
        return float(torch.stack([torch.stack(list(t.values())).sum() for t in terms]).detach().mean())

    first = loss()
    training.train_head(network, frames, tmp_path, how, settings(20), 1)
    assert loss() < first - 0.01
    for name, value in features.state_dict().items():
        torch.testing.assert_close(value, before[name])
    assert torch.linalg.norm(network.centres, dim=1).allclose(torch.ones(8)) and network.class_of_centre.unique().tolist() == [0, 1, 2, 3, 4]


def test_shifts_leave_the_share_of_pairs_that_attract(dense):
    features, frames = dense
    network, pool = training.new_head(features, frames, settings(), 1), training.crop_pool(frames)
    how = distillation.Distillation(4, True, False)
    found = distillation.find_shifts(network, pool, how, 1)
    assert found.own > 0 and 0 < found.depth < 1
    at = distillation.compare(network, pool.batch(16, 1, 0), how, 1, 0)
    own = distillation.likeness(at.features[:16], at.features[:16])
    assert float((own > found.own).float().mean()) == pytest.approx(distillation.ATTRACT[0], abs=0.05)
    assert distillation.find_shifts(network, pool, distillation.Distillation(4, True, True), 1) == REFERENCE_SHIFTS
    given = Shifts(0.1, 0.2, 0.3, 0.4)
    assert distillation.find_shifts(network, pool, distillation.Distillation(4, True, False, shifts=given), 1) == given


def test_clusters_of_the_features_need_no_training(dense):
    features, frames = dense
    network = training.linear_head(training.new_head(features, frames, settings(), 1), frames, 1)
    codes = training.sample_codes(network, frames, 10**6, np.random.default_rng(0))
    assert np.abs(codes.mean(0)).max() < 1e-2 * codes.std()
    covariance = np.cov(codes.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.01 * covariance.max()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_street):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("stego")
    train([make_street()], out, CONFIG, 3, "cpu")
    return out


def test_the_result_is_a_semantic_model_like_any_other(trained, camera):
    model = load(trained, "cpu")
    assert model.classes == 5 and model.encoder.spec.centres == 120  # so few classes are joined
    for size in ((64, 128), (97, 131)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        ids = model.classify(image, np.full(size, 3.0, np.float32), camera.scaled(*size))
        assert ids.shape == size and ids.dtype == np.uint8 and 1 <= ids.min() and ids.max() <= 5


def test_the_answer_hangs_on_the_geometry_where_there_is_one(trained, camera, street):
    model = load(trained, "cpu")
    assert model.encoder.sees_shape
    frame = street.stereo("000000")
    flat, near = np.full((64, 128), 4.0, np.float32), np.full((64, 128), 4.0, np.float32)
    near[:, 40:80] = 20
    for windows in (False, True):
        answers = [replace(model, windows=windows, refine="none").classify(frame.left, found, camera) for found in (flat, near)]
        assert 0.01 < (answers[0] != answers[1]).mean()
    assert (model.classify(frame.left, np.full((64, 128), np.nan, np.float32), camera) >= 1).all()


def test_a_stopped_training_ends_with_the_same_weights(trained, tmp_path, street, monkeypatch):
    monkeypatch.setattr(training, "STATE_EVERY", 1)
    good, calls = training.losses, []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return good(*arguments)

    monkeypatch.setattr(training, "losses", stop)
    with pytest.raises(KeyboardInterrupt):
        train([street], tmp_path, CONFIG, 3, "cpu")
    assert (tmp_path / "state" / "head.pt").exists()
    monkeypatch.setattr(training, "losses", good)
    train([street], tmp_path, CONFIG, 3, "cpu")
    whole, resumed = load_file(trained / "encoder.safetensors"), load_file(tmp_path / "encoder.safetensors")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, msg=name)


@pytest.mark.parametrize(("head", "compat", "centres"), [("clusters", "repaired", 120), ("depthg", "repaired", 120), ("depthg", "reference", 4),
                                                         ("published", "repaired", 4)])
def test_a_vision_transformer_from_a_file_becomes_a_semantic_model(tmp_path, street, head, compat, centres):
    torch.manual_seed(0)
    vit = timm.create_model("vit_small_patch16_224", patch_size=8, img_size=32, embed_dim=64, depth=1, num_heads=1, num_classes=0)
    path = tmp_path / "depthg.ckpt"
    state = {f"net.model.{name}": value for name, value in vit.state_dict().items()}
    state |= {f"net.{name}.weight": torch.randn(rows, 64, 1, 1) for name, rows in (("cluster1.0", 6), ("cluster2.0", 64), ("cluster2.2", 6))}
    state |= {f"net.{name}.bias": torch.randn(rows) for name, rows in (("cluster1.0", 6), ("cluster2.0", 64), ("cluster2.2", 6))}
    state["cluster_probe.clusters"] = torch.randn(4, 6)
    torch.save({"state_dict": state}, path)
    config = CONFIG.model_copy(update={"features": "dino", "weights": str(path), "weights_licence": "MIT", "classes": 4, "head": head,
                                       "compat": compat, "head_steps": 2})
    train([street], tmp_path / "out", config, 3, "cpu")
    with safe_open(tmp_path / "out" / "encoder.safetensors", "pt") as file:
        card = json.loads(file.metadata()["cups"])
    assert card["licence"] == "MIT" and card["weights"].startswith("depthg.ckpt sha256:")
    model = load(tmp_path / "out", "cpu")
    path.unlink()  # the file is not needed any more
    assert model.classes == 4 and model.encoder.spec.centres == centres and 1 <= model.classify(street.left("000000")).min()
    torch.testing.assert_close(model.encoder.features.body.state_dict()["pos_embed"], vit.state_dict()["pos_embed"])


def test_heads_that_cannot_be_are_refused(tmp_path, street):
    with pytest.raises(CupsError, match=r"semantics\.features=dino"):
        train([street], tmp_path, CONFIG.model_copy(update={"head": "published"}), 3, "cpu")
    torch.manual_seed(0)
    vit = timm.create_model("vit_small_patch16_224", patch_size=8, img_size=32, embed_dim=64, depth=1, num_heads=1, num_classes=0)
    save_file(vit.state_dict(), tmp_path / "dino.safetensors")
    config = CONFIG.model_copy(update={"features": "dino", "weights": str(tmp_path / "dino.safetensors"), "head": "published"})
    with pytest.raises(ModelError, match="weights without a head"):
        train([street], tmp_path, config, 3, "cpu")


def test_a_trained_code_takes_other_numbers_of_classes(dense, tmp_path):
    features, frames = dense
    trained = training.train_head(training.new_head(features, frames, settings(), 1), frames, tmp_path, distillation.Distillation(4, False, False),
                                  settings(), 1)
    network = training.with_classes(trained, frames, replace(settings(), classes=7), 1, False)
    assert network.centres.shape == (10, 8) and network.class_of_centre.unique().tolist() == list(range(7))
    maps = np.asarray(frames[0].features(), np.float32)
    np.testing.assert_array_equal(training.codes_of(network, maps), training.codes_of(trained, maps))
    same = training.with_classes(trained, frames, settings(), 1, False)
    assert same.spec.classes == trained.spec.classes and same.centres.shape == trained.centres.shape
