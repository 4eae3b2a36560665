"""Label files of the published code, made here in their form."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cups_train.config import LabelConfig
from cups_train.errors import ResultError
from cups_train.files import read_image, read_json
from cups_train.folders.labels import read_labels
from cups_train.pseudo_label import Basis, make_labels
from cups_train.published.label_files import take_labels
from cups_train.types import Work

K = 6


@pytest.fixture
def published(tmp_path: Path, write_inputs: Callable) -> tuple[Path, object]:
    """The inputs of a recording as published labels at twice the size: classes from 0 on, 8-bit instances, one ignored
    pixel block."""
    recording, folder = write_inputs(), tmp_path / "published"
    folder.mkdir()
    for stamp in recording.stamps:
        kinds = read_image(tmp_path / "semantics" / "drive" / f"{stamp.key}.png") - 1
        kinds[:2, :2] = 255
        instances = (read_image(tmp_path / "motion" / "drive" / "instances" / f"{stamp.key}.png") > 0).astype(
            np.uint8
        ) * 7
        for ending, plane in (("semantic", kinds), ("instance", instances)):
            double = cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / f"aachen_{stamp.key}_leftImg8bit_{ending}.png"), double)
    zero = torch.zeros(K, dtype=torch.int64)
    sums = {
        "distribution all pixels": zero,
        "distribution inside object proposals": zero,
        "distribution per object proposal": zero,
    }
    torch.save(sums, folder / "pseudo_classes_split_1.pt")
    return folder, recording


def test_they_become_labels_as_if_made_here(tmp_path: Path, published: tuple) -> None:
    folder, recording = published
    config = LabelConfig(kinds=0)
    classes = take_labels([recording], folder, tmp_path / "taken", config)
    basis = Basis([recording], tmp_path / "motion", tmp_path / "semantics")
    assert classes == make_labels(basis, tmp_path / "made", config, Work(0, 1, "cpu"))
    taken, made = read_labels(tmp_path / "taken" / "drive"), read_labels(tmp_path / "made" / "drive")
    assert [f.key for f in taken] == [f.key for f in made]
    for a, b in zip(taken, made, strict=True):
        (kinds, instances), (expected, own) = a.maps(), b.maps()
        assert (
            (kinds[:2, :2] == 0).all()
            and (kinds[2:] == expected[2:]).all()
            and ((instances == 7) == (own == 300)).all()
        )
        assert [(i.class_id, i.pixels) for i in a.instances] == [(i.class_id, i.pixels) for i in b.instances]
    found = read_json(tmp_path / "taken" / "statistics.json")
    assert (
        found["gate"]["passed"]
        and found["void_share"] == pytest.approx(4 / (48 * 80))
        and found["split"]["things"] == [5, 6]
    )


def test_what_does_not_fit_is_one_sentence(tmp_path: Path, published: tuple) -> None:
    folder, recording = published
    first = folder / "aachen_000000_leftImg8bit_semantic.png"
    whole = first.read_bytes()
    first.unlink()
    with pytest.raises(ResultError, match="only one of them for aachen_000000_leftImg8bit"):
        take_labels([recording], folder, tmp_path / "out", LabelConfig())
    cv2.imwrite(str(first), np.zeros((50, 50), np.uint8))
    with pytest.raises(ResultError, match="two one-channel maps of one size"):
        take_labels([recording], folder, tmp_path / "out", LabelConfig())
    first.write_bytes(whole)
    (folder / "aachen_9_semantic.png").write_bytes(whole)
    (folder / "aachen_9_instance.png").write_bytes(whole)
    with pytest.raises(ResultError, match="labels of the 12 frames .* found 13"):
        take_labels([recording], folder, tmp_path / "out", LabelConfig())


class Payload:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("never-written-by-a-pickle"),))


def test_a_file_with_a_payload_is_refused(tmp_path: Path, published: tuple) -> None:
    folder, recording = published
    (folder / "pseudo_classes_split_1.pt").write_bytes(pickle.dumps(Payload(), protocol=2))
    with pytest.raises(ResultError, match="expected a dictionary of tensors"):
        take_labels([recording], folder, tmp_path / "out", LabelConfig())
    (folder / "pseudo_classes_split_1.pt").unlink()
    with pytest.raises(ResultError, match="of one number of classes in .* found none"):
        take_labels([recording], folder, tmp_path / "out", LabelConfig())
