from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import batched_nms, nms

from cups_train.config import NetworkConfig
from cups_train.errors import ModelError
from cups_train.network import LossOptions, NetworkSpec, build_network, input_size, make_spec
from cups_train.network.box_heads import best_detections
from cups_train.network.boxes import area, clip, decode
from cups_train.network.encoder import EncoderSpec
from cups_train.network.rpn import static_proposals
from cups_train.network.semantic_head import DirectHead

OWN = {
    "backbone": "own",
    "norm": "batch",
    "semantic_head": "direct",
    "clusters": (2, 1, 3, 1),
    "mask_classes": False,
    "widths": (8, 8, 16, 16),
    "blocks": (1, 1, 2, 1),
}
OPTIONS = LossOptions(rois=16, rpn_samples=32)


@pytest.mark.parametrize("changes", [{}, OWN], ids=["resnet", "own"])
def test_losses_train_every_parameter(make_tiny_spec, make_target, changes):
    network = build_network(make_tiny_spec(**changes)).train()
    targets = [make_target((8, 8, 40, 40), things=[1]), make_target((30, 20, 60, 60), (70, 5, 90, 30))]
    losses = network.losses(torch.rand(2, 3, 64, 96), targets, LossOptions(rois=16, rpn_samples=32, drop_iou=None))
    assert sorted(losses) == [
        "box_0",
        "box_1",
        "box_2",
        "cls_0",
        "cls_1",
        "cls_2",
        "mask",
        "rpn_box",
        "rpn_cls",
        "semantic",
    ]
    sum(losses.values()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_images_without_objects_or_supervision_give_finite_losses(make_tiny_spec, make_target):
    network, target = build_network(make_tiny_spec(norm="batch")).train(), make_target()
    target.semantic.fill_(255)
    losses = network.losses(torch.rand(2, 3, 64, 96), [target, target], OPTIONS)
    sum(losses.values()).backward()
    assert all(bool(torch.isfinite(value)) for value in losses.values())
    assert all(float(losses[name]) == 0 for name in ("semantic", "mask", "cls_0", "cls_1", "cls_2", "box_0"))


def test_a_network_without_thing_classes(make_tiny_spec, make_target):
    network = build_network(make_tiny_spec(things=()))
    assert list(network.losses(torch.rand(1, 3, 64, 96), [make_target()])) == ["semantic"]
    raw = network.infer(torch.rand(1, 3, 64, 96))
    assert raw.boxes.shape == (1, 8, 4) and float(raw.scores.max()) == 0 and raw.masks.shape == (1, 8, 28, 28)


def test_a_network_without_stuff_classes(make_tiny_spec, make_target):
    network = build_network(make_tiny_spec(things=(1, 2), number=2))
    target = make_target((8, 8, 40, 40))
    target.semantic.fill_(0)
    assert float(network.losses(torch.rand(1, 3, 64, 96), [target], OPTIONS)["semantic"]) == 0
    assert int(network.infer(torch.rand(1, 3, 64, 96)).semantic.max()) == 0


@pytest.mark.parametrize("changes", [{}, OWN], ids=["resnet", "own"])
def test_answers_are_pseudo_classes_of_fixed_shapes(make_tiny_spec, changes):
    network = build_network(make_tiny_spec(**changes)).train()
    raw = network.infer(torch.rand(3, 3, 64, 96))
    assert network.training
    assert [tuple(t.shape) for t in raw] == [(3, 8, 4), (3, 8), (3, 8), (3, 8, 28, 28), (3, 64, 96)]
    assert set(raw.class_id.unique().tolist()) <= {2, 4} and set(raw.semantic.unique().tolist()) <= {0, 1, 3, 5}
    one = raw.raw_output(1)
    assert one.class_id.dtype == np.int32 and one.semantic.shape == (64, 96) and (np.diff(one.scores) <= 1e-6).all()


def test_a_batch_answers_as_its_images_do(make_tiny_spec):
    network, images = build_network(make_tiny_spec()), torch.rand(2, 3, 64, 96)
    both, second = network.infer(images), network.infer(images[1:])
    assert torch.allclose(both.boxes[1], second.boxes[0], atol=1e-3) and torch.allclose(
        both.masks[1], second.masks[0], atol=1e-4
    )


@pytest.mark.parametrize("changes", [{}, OWN], ids=["resnet", "own"])
def test_pieces_give_what_infer_gives_at_any_size(make_tiny_spec, changes):
    network, images = build_network(make_tiny_spec(**changes)).eval(), torch.rand(1, 3, 50, 81)
    with torch.no_grad():
        features = network.features(images)
        found = network.detect(features)
        masks, semantic = network.masks(features, found.boxes, found.thing), network.semantic(features)
    raw = network.infer(images)
    assert (
        semantic.shape == (1, 4, 50, 81)
        and float(found.boxes[..., 0::2].max()) <= 81
        and float(found.boxes[..., 1::2].max()) <= 50
    )
    assert (
        torch.equal(raw.boxes, found.boxes) and torch.equal(raw.scores, found.scores) and torch.equal(raw.masks, masks)
    )
    assert torch.equal(raw.semantic, torch.tensor([0, 1, 3, 5], dtype=torch.int32)[semantic.argmax(dim=1)])


def test_static_proposals_are_those_of_a_plain_loop():
    sizes = (200, 60, 12)
    anchors = tuple(
        torch.cat([c, c + 10 + torch.rand(n, 2) * 30], dim=1) for n in sizes for c in [torch.rand(n, 2) * 80]
    )
    logits, deltas = [torch.randn(1, n) for n in sizes], [torch.randn(1, n, 4) * 0.1 for n in sizes]
    boxes, valid = static_proposals(logits, deltas, anchors, (64, 96), 20)
    every = clip(decode(torch.cat(anchors), torch.cat(deltas, dim=1)[0], (1, 1, 1, 1)), (64, 96))
    scores, level = torch.cat(logits, dim=1)[0], torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    best = scores.topk(160).indices
    best = best[area(every[best]) > 0]
    expected = every[best][batched_nms(every[best], scores[best], level[best], 0.65)[:20]]
    assert bool(valid.all()) and torch.allclose(boxes[0], expected)


def test_best_detections_are_those_of_nms_over_the_probability_of_any_thing():
    corner = torch.rand(1, 40, 2) * 60
    boxes, scores = torch.cat([corner, corner + 20], dim=2), torch.rand(1, 40, 3) / 3
    found = best_detections(boxes, scores, 12)
    any_thing = scores[0].sum(dim=1)
    kept = nms(boxes[0], any_thing, 0.5)[:12]
    short = 12 - len(kept)
    assert torch.allclose(found.scores[0], functional.pad(any_thing[kept], (0, short)))
    assert found.thing[0, : len(kept)].tolist() == scores[0, kept].argmax(dim=1).tolist()
    assert torch.allclose(found.boxes[0, : len(kept)], boxes[0, kept])


def test_an_object_of_several_likely_classes_is_one_sure_object():
    found = best_detections(torch.tensor([[[0.0, 0, 9, 9]]]), torch.tensor([[[0.4, 0.45, 0.1]]]), 1)
    assert found.scores.item() == pytest.approx(0.95) and found.thing.item() == 1


def test_best_detections_are_padded_with_score_zero():
    found = best_detections(torch.tensor([[[0.0, 0, 9, 9], [0, 0, 9, 9]]]), torch.tensor([[[0.9], [0.8]]]), 4)
    assert found.scores[0].tolist() == pytest.approx([0.9, 0, 0, 0])


def test_frozen_backbone_keeps_its_statistics_and_gradients_stay_in_the_heads(make_tiny_spec, make_target):
    network = build_network(make_tiny_spec(norm="batch"))
    network.freeze_backbone()
    before = {name: tensor.clone() for name, tensor in network.backbone.state_dict().items()}
    sum(network.train().losses(torch.rand(1, 3, 64, 96), [make_target((8, 8, 40, 40))], OPTIONS).values()).backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.backbone.state_dict().items())
    trained = {name for name, p in network.named_parameters() if p.grad is not None}
    norms = {name for name, module in network.named_modules() if isinstance(module, nn.GroupNorm)}
    assert trained and not any(name.startswith("backbone") or name.rsplit(".", 1)[0] in norms for name in trained)


def test_norms_shared_by_several_processes_freeze_too(make_tiny_spec):
    network = build_network(make_tiny_spec(norm="batch"))
    network.freeze_backbone()
    nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.eval()
    network.train()
    shared = [m for m in network.backbone.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert shared and not any(m.training for m in shared)


def test_learns_a_bright_box_in_few_steps(make_tiny_spec, make_target):
    network = build_network(make_tiny_spec(channels=32, hidden=64)).train()
    target = make_target((24, 16, 64, 48), things=[1])
    image = torch.full((1, 3, 64, 96), 0.2)
    image[:, 0, 16:48, 24:64] = 0.9
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(40):
        optimiser.zero_grad()
        sum(network.losses(image, [target], replace(OPTIONS, known_background=True)).values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    raw = network.infer(image)
    assert float(raw.scores[0, 0]) > 0.5 and int(raw.class_id[0, 0]) == 4
    assert (raw.boxes[0, 0] - target.boxes[0]).abs().max() < 8


def test_input_size_keeps_the_aspect_ratio_and_the_area():
    config = NetworkConfig(area=512 * 1024)
    assert input_size(config, [(640, 1280)]) == (512, 1024)
    assert input_size(config, [(375, 1242)] * 3 + [(720, 1280)]) == (384, 1280)
    assert input_size(NetworkConfig(height=64, width=96), [(375, 1242)]) == (64, 96)


def test_make_spec_chooses_the_norm(make_tiny_spec, tmp_path):
    classes = make_tiny_spec().classes
    assert make_spec(NetworkConfig(height=64, width=96, backbone="resnet18"), classes, [(1, 1)]).norm == "group"
    spec = make_spec(
        NetworkConfig(height=64, width=96, weights=tmp_path / "a.pth", weights_licence="X"), classes, [(1, 1)]
    )
    assert (spec.norm, spec.backbone, spec.semantic_head, spec.channels, spec.weights) == (
        "batch",
        "resnet50",
        "fpn",
        256,
        (("a.pth", "X"),),
    )


def test_without_weights_the_network_is_the_encoder_that_is_known(make_tiny_spec):
    config, classes = NetworkConfig(height=64, width=96), make_tiny_spec().classes
    spec = make_spec(config, classes, [(1, 1)])
    assert (spec.backbone, spec.norm, spec.semantic_head, spec.channels, spec.widths) == (
        "own",
        "batch",
        "direct",
        64,
        (48, 80, 128, 160),
    )
    known = EncoderSpec(32, 7, 2, (16, 24, 32, 48), (1, 2, 1, 1))
    spec = make_spec(config, classes, [(1, 1)], known, (2, 1, 3, 1))
    assert (spec.channels, spec.widths, spec.blocks, spec.clusters) == (
        32,
        (16, 24, 32, 48),
        (1, 2, 1, 1),
        (2, 1, 3, 1),
    )
    spec = make_spec(
        config.model_copy(update={"widths": (8, 8, 8, 8), "semantic_head": "fpn"}),
        classes,
        [(1, 1)],
        known,
        (2, 1, 3, 1),
    )
    assert (spec.widths, spec.semantic_head, spec.clusters) == ((8, 8, 8, 8), "fpn", ())


def test_semantic_losses_on_the_grid_read_the_middle_of_a_cell(make_tiny_spec, make_target):
    network, images = build_network(make_tiny_spec(**OWN)).eval(), torch.rand(1, 3, 64, 96)
    target = make_target()
    target.semantic[:] = torch.arange(64 * 96).reshape(64, 96) % 4
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    found = network.losses(images, [target], LossOptions(semantic_stride=4, class_weights=weights))["semantic"]
    logits = network.semantic_head(network.features(images).levels)
    expected = 0.5 * functional.cross_entropy(logits, target.semantic[None, 2::4, 2::4], weights)
    assert logits.shape == (1, 4, 16, 24) and torch.allclose(found, expected)


def test_a_class_is_any_of_the_clusters_that_it_is_joined_from():
    head = DirectHead(8, (2, 1, 3))
    level = torch.rand(2, 8, 4, 6)
    logits = head.predictor(head.features(level))
    parts = [logits[:, :2].exp().sum(1), logits[:, 2].exp(), logits[:, 3:].exp().sum(1)]
    assert torch.allclose(head.eval()((level,)).softmax(1), head((level,)).softmax(1)) and head((level,)).shape == (
        2,
        3,
        4,
        6,
    )
    head.train()
    assert torch.allclose(head((level,)).exp(), torch.stack(parts, 1), rtol=1e-4)


def test_sizes_off_the_grid_are_refused(make_tiny_spec):
    with pytest.raises(ModelError, match="multiples of 32"):
        NetworkSpec(make_tiny_spec().classes, 60, 96)


def test_the_half_width_backbone_has_the_names_of_resnet18_and_half_its_channels(make_tiny_spec):
    whole, half = (build_network(make_tiny_spec(backbone=name)).backbone for name in ("resnet18", "resnet18-half"))
    shapes = {name: tuple(tensor.shape) for name, tensor in half.body.state_dict().items()}
    assert list(shapes) == list(whole.body.state_dict())
    assert (shapes["conv1.weight"], shapes["layer4.1.conv2.weight"]) == ((32, 3, 7, 7), (256, 256, 3, 3))
    images = torch.rand(1, 3, 64, 96)
    assert [level.shape for level in half(images)] == [level.shape for level in whole(images)]
