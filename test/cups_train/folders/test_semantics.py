"""K and the centres have one home, and what does not fit there is said."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cups_train.errors import ModelError
from cups_train.folders.semantics import (
    EncoderFile,
    encoder_path,
    read_array,
    read_classes,
    read_encoder,
    write_array,
    write_encoder,
)


def write(folder: Path, count: int, centres: int) -> None:
    cells = {"centres": torch.arange(3 * centres).reshape(-1, 3).float()}
    write_encoder(
        folder, EncoderFile({"spec": {"classes": count}, "cells": {"sharpness": 1.0}}, {"stem": torch.ones(2)}, cells)
    )


def test_centres_of_a_model_on_disk(tmp_path: Path) -> None:
    write(tmp_path, 2, 2)
    found = read_classes(tmp_path)
    assert found.count == 2
    np.testing.assert_array_equal(found.centres, np.float32([[0, 1, 2], [3, 4, 5]]))
    whole = read_encoder(tmp_path)
    assert set(whole.network) == {"stem"} and set(whole.cells) == {"centres"} and whole.card["spec"] == {"classes": 2}


def test_a_head_has_classes_without_centres(tmp_path: Path) -> None:
    write_encoder(tmp_path, EncoderFile({"spec": {"classes": 5}, "cells": None}, {"stem": torch.ones(2)}, {}))
    found = read_classes(tmp_path)
    assert found.count == 5 and found.centres is None


def test_nothing_is_taken_for_no_centres(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cups-train pseudo-label"):
        read_classes(tmp_path)
    for count, centres in ((3, 2), (2, 3)):
        write(tmp_path, count, centres)
        with pytest.raises(ModelError, match=f"found {centres} centres of {count} clusters; run that command again"):
            read_classes(tmp_path)
    encoder_path(tmp_path).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="run that command again"):
        read_classes(tmp_path)


def test_arrays_come_back(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    write_array(tmp_path / "of" / "a.npy", array)
    for mapped in (False, True):
        np.testing.assert_array_equal(read_array(tmp_path / "of" / "a.npy", mapped), array)
