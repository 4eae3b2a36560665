"""A checkpoint becomes a model folder, checked before it appears."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.engines import Graph
from cups_ros.types import Classes
from cups_train.config import ExportConfig
from cups_train.export.card import make_card, thresholds
from cups_train.export.graph import INPUT, write_graph
from cups_train.export.parity import LIMITS, compare, probe_images
from cups_train.export.precision import in_half
from cups_train.export.tensorrt import build_engine
from cups_train.files import sha256, write_json
from cups_train.folders.names import under_names
from cups_train.network.checkpoint import load_checkpoint, read_checkpoint_metadata
from cups_train.network.model import PanopticNetwork
from cups_train.output import check_output, replacing

logger = logging.getLogger(__name__)
KIND = "export"
PARITY_IMAGES = 4


def write_model_folder(
    checkpoint: Path,
    out: Path,
    config: ExportConfig,
    run_name: str,
    named: Classes | None = None,
    force: bool = False,
) -> None:
    """Write `out` (formats.md, model folder); its files appear once ONNX Runtime agrees with torch, in place of
    an older model's.

    `named`: the classes with the names that a person has given since; none: as in the checkpoint. `force`: as in
    `check_output`.
    """
    check_output(out, KIND, force=force)
    spec, facts = read_checkpoint_metadata(checkpoint)
    if named is not None:
        spec = replace(spec, classes=under_names(spec.classes, named))
    network = load_checkpoint(checkpoint)
    network.spec = spec
    with replacing(out, KIND) as temporary:
        card = make_card(spec, config, run_name, facts)
        described = {
            key: card[key]
            for key in ("format", "name", "input", "classes", "thresholds", "weights", "training", "version")
        }
        _write(network, temporary / "model.onnx", described, config)
        card["sha256"] = sha256(temporary / "model.onnx")
        write_json(temporary / "model.json", card)
        parity = compare(network, temporary, _images(config, network))
        parity.require(LIMITS[config.precision])
        card["parity"] = {**asdict(parity), "limits": asdict(LIMITS[config.precision])}
        if "tensorrt" in config.formats:
            card["engine"] = build_engine(
                Graph(temporary / "model.onnx", card["sha256"], card["precision"], INPUT), temporary / "model.plan"
            )
        write_json(temporary / "model.json", card)
    logger.info("model in %s: %s", out, card["parity"])


def _write(network: PanopticNetwork, graph: Path, metadata: dict[str, Any], config: ExportConfig) -> None:
    """The graph in the precision asked for."""
    merge = thresholds(config) if config.merge else None
    if config.precision == "fp16":
        write_graph(in_half(network), graph, metadata, merge)
    elif config.precision == "int8":
        from cups_train.export.int8 import calibration_images, quantise

        images = calibration_images(config, (network.spec.height, network.spec.width))
        single = graph.with_name("single.onnx")
        write_graph(network, single, metadata, merge)
        quantise(single, images, graph)
        single.unlink()
    else:
        write_graph(network, graph, metadata, merge)


def _images(config: ExportConfig, network: PanopticNetwork) -> list[np.ndarray]:
    """What the parity check looks at, (H, W, 3) uint8 of the input's size: images of the calibration where there are
    any, else patterns."""
    size = (network.spec.height, network.spec.width)
    if config.calibration is None:
        return probe_images(*size)
    from cups_train.export.int8 import calibration_images

    return list(calibration_images(config.model_copy(update={"calibration_frames": PARITY_IMAGES}), size))
