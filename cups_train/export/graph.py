"""The whole network as one static ONNX graph."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from cups_ros.model import MERGED, OUTPUTS
from cups_ros.types import Thresholds
from cups_train.errors import ModelError
from cups_train.export.graph_fusion import GraphFusion
from cups_train.export.layout import put_channels_last
from cups_train.network.boxes import STRIDES, pyramid_anchors
from cups_train.network.model import PanopticNetwork

OPSET = 18
INPUT = "image"
# shapes or paths that depend on data
FORBIDDEN = {"NonZero", "If", "Loop", "Scan", "NonMaxSuppression", "RoiAlign", "Compress", "Unique"}


class ExportGraph(nn.Module):
    """(1, H, W, 3) uint8 RGB -> boxes (N, 4), scores (N,), class_id (N,), masks (N, 28, 28), semantic (H, W); with
    `merge` also Merged."""

    def __init__(self, network: PanopticNetwork, merge: Thresholds | None = None) -> None:
        super().__init__()
        self.network = network.eval()
        spec = network.spec
        self.merge = GraphFusion(spec.classes, merge) if merge is not None else None
        sizes = [(-(-spec.height // stride), -(-spec.width // stride)) for stride in STRIDES]
        for number, anchors in enumerate(pyramid_anchors(sizes, spec.anchor_size)):
            self.register_buffer(f"anchors_{number}", anchors, persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(1, H, W, 3) uint8 RGB -> the outputs in their order."""
        anchors = tuple(getattr(self, f"anchors_{number}") for number in range(len(STRIDES)))
        raw = self.network.infer(image.float().permute(0, 3, 1, 2) / 255, anchors)  # TensorRT only casts uint8
        outputs = tuple(tensor[0] for tensor in raw)
        return outputs if self.merge is None else (*outputs, *self.merge(*outputs))


def write_graph(
    network: PanopticNetwork, path: Path, metadata: dict[str, Any], merge: Thresholds | None = None
) -> None:
    """Export to `path` with the card's facts in the graph's metadata, with `merge` the panoptic merge by these
    thresholds too.

    Raises ModelError where the graph is not static.
    """
    graph = ExportGraph(network.cpu(), merge)
    names = OUTPUTS if merge is None else (*OUTPUTS, *MERGED)
    example = torch.zeros(1, network.spec.height, network.spec.width, 3, dtype=torch.uint8)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=[INPUT],
                output_names=list(names),
                verbose=False,
            )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    model = program.model_proto
    put_channels_last(model)
    forget_sources(model)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    check_static(model)
    onnx.save(model, path)


def forget_sources(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes of the code behind every node and value: it names folders of this machine, and
    the same network exported elsewhere would be another file."""
    for graph in (model.graph, *model.functions):
        for part in (graph, *graph.node, *graph.value_info):
            part.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")


def check_static(model: onnx.ModelProto) -> None:
    """Raises ModelError where an operator or a dimension depends on data."""
    operators = {node.op_type for node in model.graph.node} | {
        node.op_type for function in model.functions for node in function.node
    }
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    dynamic = [v.name for v in values if any(not d.HasField("dim_value") for d in v.type.tensor_type.shape.dim)]
    if operators & FORBIDDEN or dynamic:
        raise ModelError(
            "expected a static graph from the exporter, found operators "
            f"{sorted(operators & FORBIDDEN)} and dynamic shapes "
            f"{dynamic[:5]}; use the versions of torch and onnxscript that cups pins"
        )
