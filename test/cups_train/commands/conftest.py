"""What the tests of bad input share: a command line that must refuse, a recording, a network, a run and result folders
without the work."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from cups_ros.types import Classes, Panoptic, PseudoClass
from cups_train.cli import main
from cups_train.config import RecordingConfig, load_config
from cups_train.files import write_image, write_json
from cups_train.folders.recordings import write_indices
from cups_train.folders.results import ResultWriter
from cups_train.folders.run import RunFolder
from cups_train.network import NetworkSpec, PanopticNetwork, save_checkpoint
from cups_train.recording import open_recording


def _builder():
    """The bag builder of the recording tests."""
    spec = importlib.util.spec_from_file_location(
        "bag_builder", Path(__file__).parents[1] / "recording" / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BAGS = _builder()
CLASSES = Classes((PseudoClass(1, "c1", False, (9, 9, 9)), PseudoClass(2, "c2", True, (8, 8, 8))))
TINY = [
    "workers=1",
    "device=cpu",
    "network.backbone=resnet18",
    "network.channels=16",
    "network.hidden=16",
    "network.height=64",
    "network.width=96",
    # for the case that a command is not refused
    "bootstrap.steps=1",
    "bootstrap.batch=1",
    "self_train.steps=1",
    "self_train.batch=1",
]


@pytest.fixture
def bags(tmp_path):
    return BAGS.Bags(tmp_path)


@pytest.fixture
def refused(capfd):
    """Run a command that must end with one sentence; the sentence. `after`: work was under way, so that progress stands
    before it."""

    def run(*argv, after=False):
        assert main([str(a) for a in argv]) == 2
        lines = capfd.readouterr().err.splitlines()
        sentence = lines.pop()
        assert sentence.startswith(f"cups-train {argv[0]}: expected ") and re.search(r"\bfound\b", sentence), sentence
        assert after or not lines, lines
        assert not any("Traceback" in line or line.startswith("cups-train") for line in lines), lines
        return sentence

    return run


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    bags = BAGS.Bags(tmp_path_factory.mktemp("good"))
    return bags.write(bags.stereo(bags.steady(3)))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "checkpoint.safetensors"
    spec = NetworkSpec(CLASSES, 64, 96, "resnet18", "group", 16, 16, 1, 16, 16, 8)
    save_checkpoint(PanopticNetwork(spec), path, step=1, stage="bootstrap")
    return path


@pytest.fixture
def make_run():
    """`make_run(root, path, network)`: a run that is labelled and bootstrapped, without the work."""
    return _make_run


def _make_run(root, path, network):
    recording, config = open_recording(path, RecordingConfig()), load_config(None, TINY)
    run = RunFolder.create(root, config)
    write_indices([recording], run)
    with run.making("labels", {}, 1) as folder:
        for stamp in recording.stamps:
            write_image(folder / recording.name / f"{stamp.key}_class.png", np.ones((48, 64), np.uint8))
            write_image(folder / recording.name / f"{stamp.key}_instance.png", np.zeros((48, 64), np.uint16))
        frames = [
            {"key": s.key, "stamp_ns": s.stamp_ns, "instances": [], "reason": "nothing moves"} for s in recording.stamps
        ]
        write_json(folder / recording.name / "labels.json", {"recording": recording.name, "frames": frames})
        write_json(root / "classes.json", {"classes": CLASSES.to_json()})
    with run.making("bootstrap", {}, 1) as folder:
        shutil.copyfile(network, folder / "checkpoint.safetensors")
    return root


@pytest.fixture
def a_run(tmp_path, drive, network):
    return _make_run(tmp_path / "run", drive, network)


@pytest.fixture
def make_result():
    """`make_result(folder, keys=..., kind=...)`: a result folder of class 1 everywhere."""
    return _make_result


def _make_result(folder, keys=("000000", "000001"), kind="prediction"):
    writer = ResultWriter(folder, CLASSES, {"kind": kind})
    for key in keys:
        writer.write(key, 0, Panoptic(np.ones((4, 6), np.uint8), np.zeros((4, 6), np.uint16), ()))
    writer.close()
    return folder
