"""Files are whole or absent, and of the rights that their owner gives all files."""

import os

import pytest
import torch
from safetensors.torch import save_file

from cups_ros.types import Classes
from cups_train.files import read_object, write_atomically


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_of_tensors_have_the_rights_of_all_files(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "x", lambda beside: save_file({"a": torch.ones(2)}, beside))
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\udcff", None])
def test_a_damaged_file_that_can_be_made_again_says_nothing(text, tmp_path):
    if text is not None:
        (tmp_path / "x.json").write_bytes(text.encode(errors="surrogateescape"))
    assert read_object(tmp_path / "x.json") == {}


@pytest.mark.parametrize("color", ["url(x)", ["1; background: url(x)", 2, 3], [1, 2], [1, 2, 256], [1, 2, -1], None])
def test_what_is_no_colour_never_comes_near_a_page(color):
    with pytest.raises(ValueError, match="color"):
        Classes.from_json([{"id": 1, "name": "a", "isthing": 0, "color": color}])
