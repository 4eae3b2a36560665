"""What stage 2 takes from stage 1b."""

import numpy as np
import pytest
import torch

from cups_ros.types import Classes, PseudoClass
from cups_train.bootstrap.start import (
    KnownEncoder,
    Origin,
    class_weights,
    clusters_of_channels,
    fits,
    read_known_encoder,
    start_from,
    widths_of,
)
from cups_train.folders.semantics import EncoderFile, write_encoder
from cups_train.network import NetworkSpec, build_network
from cups_train.network.encoder import Encoder, EncoderSpec

SPEC = EncoderSpec(16, 5, 2, (8, 8, 16, 16), (1, 1, 1, 1))
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i == 3, (i, i, i)) for i in range(1, 4)))
CLUSTERS = ((4,), (0, 2), ())  # some thing, class 1, class 2 that no cluster shows


@pytest.fixture
def known():
    torch.manual_seed(0)
    return KnownEncoder(SPEC, Encoder(SPEC).state_dict())


def network(**changes):
    settings = {"widths": SPEC.widths, "blocks": SPEC.blocks, "clusters": widths_of(CLUSTERS), **changes}
    return build_network(
        NetworkSpec(CLASSES, 64, 96, "own", "batch", 16, 16, 1, semantic_head="direct", **settings)
    ).eval()


def test_the_network_sees_what_the_encoder_saw_and_names_it_by_joined_clusters(known):
    encoder, student, image = Encoder(SPEC).eval(), network(), torch.rand(1, 3, 64, 96)
    encoder.load_state_dict(known.tensors)
    assert fits(student, known)
    start_from(student, Origin(known, CLUSTERS, np.ones(3)))
    rows = torch.linspace(-1, 1, 64)[None, None, :, None].expand(1, 1, 64, 96)
    with torch.no_grad():
        expected, found = encoder(image, rows), student.features(image)
        logits = student.semantic_head(found.levels)
    assert torch.allclose(found.levels[0], expected.features, atol=1e-5)
    assert torch.allclose(logits[:, 0], expected.logits[:, 4], atol=1e-4)
    assert torch.allclose(logits[:, 1], expected.logits[:, [0, 2]].logsumexp(1), atol=1e-4)
    assert [tuple(level.shape[-2:]) for level in found.levels] == [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]


def test_an_encoder_of_other_widths_does_not_fit(known):
    assert not fits(network(widths=(8, 8, 16, 32)), known) and not fits(network(blocks=(2, 1, 1, 1)), known)


def test_a_cluster_goes_where_the_labels_show_most_of_it():
    counts = np.array([[0, 9, 1], [0, 0, 0], [1, 2, 0], [0, 0, 7], [5, 4, 0]])
    assert clusters_of_channels(counts) == ((4,), (0, 2), (3,))
    assert widths_of(((4,), (0, 2), ())) == (1, 2, 1)


def test_rare_classes_weigh_more_and_all_pixels_one():
    pixels = np.array([400.0, 100.0, 0.0])
    weights = class_weights(pixels, 0.5)
    assert weights[1] == pytest.approx(2 * weights[0], rel=1e-4) and weights[2] == pytest.approx(
        20 * weights[0], rel=1e-4
    )
    assert float(np.array(weights) @ np.maximum(pixels, 1)) == pytest.approx(501, rel=1e-4)
    assert class_weights(pixels, 0.0) == (1, 1, 1)


def test_only_an_encoder_that_names_clusters_is_known(tmp_path, known):
    assert read_known_encoder(None) is None and read_known_encoder(tmp_path) is None
    write_encoder(tmp_path, EncoderFile({"spec": SPEC.to_json(), "cells": None}, known.tensors, {}))
    found = read_known_encoder(tmp_path)
    assert found is not None and found.spec == SPEC and found.tensors.keys() == known.tensors.keys()
    write_encoder(tmp_path, EncoderFile({"spec": {"classes": 5, "features": {"kind": "vit"}}, "cells": None}, {}, {}))
    assert read_known_encoder(tmp_path) is None
