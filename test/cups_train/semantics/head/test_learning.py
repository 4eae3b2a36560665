"""Heads on the features of a tiny encoder, through the door that the stage uses, and of a tiny vision transformer."""

import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cups_train.errors import CupsError, ModelError
from cups_train.semantics import learn_classes, load
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.head.correspondence import Shifts, Weights
from cups_train.semantics.head.distillation import DESCRIBED_WEIGHTS
from cups_train.semantics.head.learning import distillation_of
from cups_train.types import Work

WORK = Work(3, 1, "cpu")
PUBLISHED = {
    "depth_term": "published",
    "spots": "random",
    "shifts": (0.39, 0.25, 0.26, 0.03),
    "term_weights": (0.95, 1.02, 0.57, 0.09),
    "sharpness": 2.0,
}


def test_the_result_is_a_semantic_model_like_any_other(learned_head, camera):
    model = load(learned_head, "cpu")
    assert model.classes == len(model.encoder.centres) == 5
    for size in ((64, 128), (97, 131)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        ids = model.classify(image, np.full(size, 3.0, np.float32), camera.scaled(*size))
        assert ids.shape == size and ids.dtype == np.uint8 and 1 <= ids.min() and ids.max() <= 5


def test_the_answer_hangs_on_the_geometry_where_there_is_one(learned_head, camera, street):
    model = load(learned_head, "cpu")
    assert model.encoder.sees_shape
    frame = street.stereo("000000")
    flat, near = np.full((64, 128), 4.0, np.float32), np.full((64, 128), 4.0, np.float32)
    near[:, 40:80] = 20
    for windows in (False, True):
        answers = [
            replace(model, windows=windows, refine="none").classify(frame.left, found, camera) for found in (flat, near)
        ]
        assert 0.01 < (answers[0] != answers[1]).mean()
    assert (model.classify(frame.left, np.full((64, 128), np.nan, np.float32), camera) >= 1).all()


@pytest.mark.parametrize(
    ("head", "more"),
    [("clusters", {}), ("depthg", {}), ("depthg", PUBLISHED), ("published", {})],
)
def test_a_vision_transformer_from_a_file_becomes_a_semantic_model(tmp_path, street, head, more, small_head):
    torch.manual_seed(0)
    vit = timm.create_model(
        "vit_small_patch16_224", patch_size=8, img_size=32, embed_dim=64, depth=1, num_heads=1, num_classes=0
    )
    path = tmp_path / "depthg.ckpt"
    state = {f"net.model.{name}": value for name, value in vit.state_dict().items()}
    state |= {
        f"net.{name}.weight": torch.randn(rows, 64, 1, 1)
        for name, rows in (("cluster1.0", 6), ("cluster2.0", 64), ("cluster2.2", 6))
    }
    state |= {
        f"net.{name}.bias": torch.randn(rows)
        for name, rows in (("cluster1.0", 6), ("cluster2.0", 64), ("cluster2.2", 6))
    }
    state["cluster_probe.clusters"] = torch.randn(4, 6)
    torch.save({"state_dict": state}, path)
    config = small_head.model_copy(
        update={
            "features": "dino",
            "weights": str(path),
            "weights_licence": "MIT",
            "clusters": 4,
            "head": head,
            "head_steps": 2,
            **more,
        }
    )
    learn_classes([street], tmp_path / "out", config, WORK)
    with safe_open(tmp_path / "out" / "encoder.safetensors", "pt") as file:
        card = json.loads(file.metadata()["cups"])
    assert card["licence"] == "MIT" and card["weights"].startswith("depthg.ckpt sha256:")
    model = load(tmp_path / "out", "cpu")
    path.unlink()  # the file is not needed any more
    assert model.classes == 4 == len(model.encoder.centres) and 1 <= model.classify(street.left("000000")).min()
    torch.testing.assert_close(model.encoder.features.body.state_dict()["pos_embed"], vit.state_dict()["pos_embed"])


def test_heads_that_cannot_be_are_refused(tmp_path, street, small_head):
    with pytest.raises(CupsError, match=r"semantics\.features=dino"):
        learn_classes([street], tmp_path, small_head.model_copy(update={"head": "published"}), WORK)
    torch.manual_seed(0)
    vit = timm.create_model(
        "vit_small_patch16_224", patch_size=8, img_size=32, embed_dim=64, depth=1, num_heads=1, num_classes=0
    )
    save_file(vit.state_dict(), tmp_path / "dino.safetensors")
    config = small_head.model_copy(
        update={"features": "dino", "weights": str(tmp_path / "dino.safetensors"), "head": "published"}
    )
    with pytest.raises(ModelError, match="weights without a head"):
        learn_classes([street], tmp_path, config, WORK)


def test_what_the_settings_say_is_what_runs(dense, small_head):
    """No setting is overruled: no weight where geometry is among the features."""
    features, _ = dense
    geometry = DescribedFeatures(features.encoder, 0)
    for network in (features, geometry):
        how = distillation_of(network, small_head.model_copy(update={"head": "depthg", **PUBLISHED}))
        assert (how.depth_term, how.spots) == ("published", "random")
        assert how.shifts == Shifts(0.39, 0.25, 0.26, 0.03) and how.weights == Weights(0.95, 1.02, 0.57, 0.09)
    assert (
        distillation_of(geometry, small_head).weights == DESCRIBED_WEIGHTS
        and distillation_of(features, small_head).shifts is None
    )
