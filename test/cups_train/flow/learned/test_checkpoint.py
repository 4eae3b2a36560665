"""Weights of the refinement on disk."""

import json

import pytest
import torch
from safetensors.torch import save_file

from cups_train.errors import ModelError
from cups_train.flow.learned.checkpoint import load_refiner


def test_weights_that_do_not_fit_are_one_sentence(tmp_path):
    damaged, other = tmp_path / "damaged.safetensors", tmp_path / "other.safetensors"
    damaged.write_bytes(b"no")
    save_file(
        {"a": torch.zeros(1)},
        other,
        {"cups-flow-2": json.dumps({"identity": {}, "size": {"channels": 8, "updates": 1}})},
    )
    for path in (damaged, other, tmp_path / "none.safetensors"):
        with pytest.raises(ModelError, match="motion.flow_weights") as error:
            load_refiner(path)
        assert "\n" not in str(error.value)
