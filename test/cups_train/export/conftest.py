"""A small random network, exported once."""

from dataclasses import replace

import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.config import ExportConfig
from cups_train.export.model_folder import write_model_folder
from cups_train.network import NetworkSpec, build_network, save_checkpoint

OWN = {"backbone": "own", "norm": "batch", "semantic_head": "direct", "clusters": (3, 1, 2, 1), "mask_classes": False}


@pytest.fixture(scope="session", params=["resnet", "own"])
def exported(request, tmp_path_factory):
    """A small random network, exported once: (network, folder of the checkpoint)."""
    folder = tmp_path_factory.mktemp("export")
    classes = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 6)))
    spec = NetworkSpec(classes, 64, 96, "resnet18", "group", 16, 16, 1, 16, 16, 8, (("start.pth", "CC0"),))
    network = build_network(
        replace(spec, **(OWN if request.param == "own" else {"scoring": "per_class"})), seed=1
    ).eval()
    save_checkpoint(network, folder / "checkpoint.safetensors", step=5)
    write_model_folder(folder / "checkpoint.safetensors", folder / "model", ExportConfig(score=0.3), "demo")
    return network, folder
