"""Classes that look alike are judged together: weights and decisions worked out by hand, and the centres of a model on
disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cups_train.config import LabelConfig
from cups_train.files import read_json
from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.pseudo_label import Basis, make_labels
from cups_train.pseudo_label.likeness import likeness, pooled
from cups_train.pseudo_label.motion_counts import MotionCounts
from cups_train.pseudo_label.split import find_split
from cups_train.semantics.cells import CellClasses
from cups_train.semantics.clusters import Clusters, Scaler
from cups_train.semantics.descriptors import Projection
from cups_train.semantics.model import SemanticModel, save
from cups_train.types import Work

# squared distances of the nearest: 1, 1, 4, 4, so that 2.5 is usual
CENTRES = np.array([[0.0], [1.0], [10.0], [12.0]], np.float32)


def counts() -> MotionCounts:
    """Cars that drive, cars that are parked, road and houses."""
    n_all, n_in, found = np.array([0, 100, 100, 500, 300]), np.array([0, 90, 0, 10, 0]), np.array([0, 50, 0, 9, 0])
    return MotionCounts(n_all, n_in, found, found, 100, 80, 100)


def test_weights_fall_with_distance() -> None:
    weights = likeness(CENTRES, 2.0)
    np.testing.assert_allclose(weights[0], [3, *np.exp(-np.array([1, 100, 144]) / 5)], rtol=1e-9)
    np.testing.assert_allclose(weights, weights.T)
    assert likeness(CENTRES[:1], 1.5).tolist() == [[3.0]]


def test_counts_of_neighbours_are_added_with_their_weights() -> None:
    weights = np.eye(4)
    weights[0, 1] = weights[1, 0] = 0.5
    together = pooled(counts(), weights)
    assert together.n_all.tolist() == [0, 150, 150, 500, 300] and together.n_in.tolist() == [0, 90, 45, 10, 0]
    assert together.n_found.tolist() == [0, 50, 25, 9, 0] and together.instances == 100


def test_parked_cars_are_things_like_those_that_drive() -> None:
    split = find_split(counts(), LabelConfig(likeness=2.0, psi=1.9), CENTRES)
    # 0.1 of all pixels move; the parked ones 90 w / (300 + 100 w), w = exp(-1 / 5): 0.193
    assert split.things == (1, 2)
    rows = {row.class_id: row for row in split.table}
    assert (
        rows[2].ratio == pytest.approx(0.193, abs=1e-3)
        and rows[2].lift == pytest.approx(1.93, abs=0.01)
        and rows[2].n_in == 0
    )
    for alone in (
        find_split(counts(), LabelConfig(likeness=0.0, psi=1.9), CENTRES),
        find_split(counts(), LabelConfig(psi=1.9)),
    ):
        assert alone.things == (1,) and alone.mean_ratio == split.mean_ratio


def test_the_published_rule_knows_no_neighbours() -> None:
    config = LabelConfig(split="published", likeness=0, min_instances=0)
    assert find_split(counts(), config, CENTRES) == find_split(counts(), config)


def test_what_unlike_classes_do_changes_nothing() -> None:
    """Ten classes far from all others, none moving: the weights of the rest stay, though the mean ratio falls."""
    far = np.arange(100, 120, 2, dtype=np.float32)[:, None] + np.float32(1000)
    weights = likeness(np.concatenate([CENTRES, far]), 2.0)
    assert weights[:4, 4:].max() < 1e-12


def save_model(folder: Path, alike: float) -> np.ndarray:
    """A model of six classes whose centres are far apart, but for the fourth, which is `alike` away from the fifth."""
    torch.manual_seed(0)
    projection = Projection(np.zeros(4, np.float32), np.eye(2, 4, dtype=np.float32), False)
    channels = sum(group.channels for group in projection.groups)
    centres = np.zeros((6, channels), np.float32)
    centres[:, 0] = [0, 100, 200, 500 - alike, 500, 600]
    cells = CellClasses(
        projection,
        Clusters(Scaler(np.zeros(channels, np.float32), np.ones(channels, np.float32)), centres),
        1.0,
    )
    save(SemanticModel(Encoder(EncoderSpec(4, 6, 2)), 64, cells=cells), folder, {})
    return centres


def test_the_stage_reads_what_its_classes_look_like(tmp_path: Path, write_inputs: Callable) -> None:
    """Class 4 lies in no object, class 5 in all of them."""
    recording, ratios = write_inputs(), []
    for alike in (None, 1.0, 90.0):
        if alike is not None:
            save_model(tmp_path / "semantics", alike)
        make_labels(
            Basis([recording], tmp_path / "motion", tmp_path / "semantics"),
            tmp_path / "labels",
            LabelConfig(),
            Work(0, 1, "cpu"),
        )
        rows = read_json(tmp_path / "labels" / "statistics.json")["split"]["table"]
        ratios.append(next(row["ratio"] for row in rows if row["class_id"] == 4))
    assert ratios[0] == 0 and ratios[1] > ratios[2] > 0
