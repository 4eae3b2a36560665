"""The model card: what the node has to know about a graph."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cups_ros.model import FORMAT, MASK_SIDE, MERGED, SEGMENT_COLUMNS
from cups_ros.types import Thresholds
from cups_train import __version__
from cups_train.config import ExportConfig
from cups_train.export.graph import INPUT, OPSET
from cups_train.network.spec import NetworkSpec


def thresholds(config: ExportConfig) -> Thresholds:
    """Thresholds of the panoptic merge."""
    return Thresholds(score=config.score, overlap=config.overlap, stuff_area=config.stuff_area)


def make_card(spec: NetworkSpec, config: ExportConfig, run_name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything but the graph's sha256, which is known once it is written."""
    return {
        "format": FORMAT,
        "name": run_name,
        "run": run_name,
        "version": __version__,
        "precision": config.precision,
        "opset": OPSET,
        "input": {
            "name": INPUT,
            "height": spec.height,
            "width": spec.width,
            "layout": "NHWC",
            "dtype": "uint8",
            "color": "rgb",
            "range": [0, 255],
            "fit": "scaled by one factor to the top left, padded with (124, 116, 104)",
        },
        "outputs": _outputs(spec, config.merge),
        "classes": spec.classes.to_json(),
        "thresholds": asdict(thresholds(config)),
        "weights": [{"source": source, "licence": licence} for source, licence in spec.weights],
        "network": {
            "backbone": spec.backbone,
            "norm": spec.norm,
            "channels": spec.channels,
            "proposals": spec.proposals,
        },
        "training": facts,
    }


def _outputs(spec: NetworkSpec, merged: bool) -> list[dict[str, Any]]:
    """What the graph gives; `merged`: with the maps that it has fused."""
    number = spec.detections
    outputs = [
        ("boxes", [number, 4], "float32", "x1, y1, x2, y2 in pixels of the input"),
        ("scores", [number], "float32", "0 to 1; 0 on rows without an instance"),
        ("class_id", [number], "int32", "class of the instance"),
        ("masks", [number, MASK_SIDE, MASK_SIDE], "float32", "probabilities inside the box"),
        (
            "semantic",
            [spec.height, spec.width],
            "int32",
            "class of stuff; 0 = some thing, unknown object where no instance is",
        ),
    ]
    if merged:
        rows = number + max(1, len(spec.classes.regions))
        outputs += [
            (MERGED[0], [spec.height, spec.width], "int32", "0 = void, else 1 + row of segments"),
            (
                MERGED[1],
                [rows, SEGMENT_COLUMNS],
                "float32",
                "class, score, area, x, y, width, height in pixels of the input; area 0: none",
            ),
        ]
    return [dict(zip(("name", "shape", "dtype", "meaning"), row, strict=True)) for row in outputs]
