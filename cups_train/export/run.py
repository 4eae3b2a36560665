"""Stage `export`: a checkpoint becomes a model folder, checked before it appears."""
from __future__ import annotations

import logging
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from cups_ros.types import Classes
from cups_train.class_names import under_names
from cups_train.config import ExportConfig
from cups_train.export.card import make_card
from cups_train.export.graph import write_graph
from cups_train.export.parity import compare, probe_images
from cups_train.export.tensorrt import build_engine
from cups_train.files import check_out, sha256, write_json
from cups_train.network import load_checkpoint, read_checkpoint_metadata

logger = logging.getLogger(__name__)
MODEL = {"model.json", "model.onnx", "model.plan"}
JOURNAL = {"inputs.json"}  # what a run folder has written before its stage starts


def run(checkpoint: Path, out: Path, config: ExportConfig, run_name: str, named: Classes | None = None) -> None:
    """Write `out` (formats.md, model folder). It is made beside its place and renamed once ONNX Runtime agrees with torch.

    `named`: the classes with the names that a person has given since; none: as in the checkpoint.
    An older model folder in `out` is replaced; anything else there is refused with CupsError.
    """
    check_out(out, JOURNAL | MODEL)
    spec, facts = read_checkpoint_metadata(checkpoint)
    if named is not None:
        spec = replace(spec, classes=under_names(spec.classes, named))
    network = load_checkpoint(checkpoint)
    beside = out.with_name(f".{os.getpid()}.{out.name}")
    beside.mkdir(parents=True)
    try:
        card = make_card(spec, config, run_name, facts)
        described = {key: card[key] for key in ("format", "name", "input", "classes", "thresholds", "weights", "training", "version")}
        write_graph(network, beside / "model.onnx", described)
        card["sha256"] = sha256(beside / "model.onnx")
        write_json(beside / "model.json", card)
        parity = compare(network, beside, probe_images(spec.height, spec.width))
        parity.require()
        card["parity"] = asdict(parity)
        if "tensorrt" in config.formats:
            card["engine"] = build_engine(beside / "model.onnx", beside / "model.plan")
        write_json(beside / "model.json", card)
        _replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    logger.info("model in %s: %s", out, card["parity"])


def _replace(beside: Path, out: Path) -> None:
    if out.exists():
        old = out.with_name(f".{os.getpid()}.old.{out.name}")
        out.rename(old)
        beside.rename(out)
        shutil.rmtree(old)
    else:
        beside.rename(out)
