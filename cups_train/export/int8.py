"""int8 convolutions for the CPU: quantise and dequantise nodes in the graph, ranges from images that the vehicle has
seen."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from cups_ros.fusion import letterbox
from cups_train.config import ExportConfig, RecordingConfig
from cups_train.errors import ModelError
from cups_train.picks import evenly_spaced
from cups_train.recording.images import is_image_folder, open_images
from cups_train.recording.recording import open_recording

logger = logging.getLogger(__name__)
LAYERS = ("Conv", "ConvTranspose", "Gemm")
# layers that stay float32
KEPT = (
    "body.conv1.weight",
    "backbone.stem.0.0",
    "rpn.head.cls_logits",
    "rpn.head.bbox_pred",
    "cls_score",
    "bbox_pred",
    "predictor",
)


def calibration_images(config: ExportConfig, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """`calibration_frames` images of `calibration`, evenly spread, (H, W, 3) uint8 of the network's input; one at a
    time in memory."""
    if config.calibration is None:
        raise ModelError(
            "expected a recording or a folder of images to calibrate int8 on, found none; set export.calibration"
        )
    keys, read = _source(config.calibration, config.calibration_topic)
    if not keys:
        raise ModelError(
            f"expected images to calibrate int8 on in {config.calibration} (export.calibration), found none"
        )
    for row in evenly_spaced(len(keys), config.calibration_frames):
        yield letterbox(read(keys[row]), size)[0]


def _source(path: Path, topic: str) -> tuple[tuple[str, ...], Callable[[str], np.ndarray]]:
    """Keys and how one (H, W, 3) uint8 image is read: a folder of images, one camera of a recording, or the left one of
    its stereo pair."""
    if topic or is_image_folder(path):
        images = open_images(path, RecordingConfig(left=topic))
        return images.keys, lambda key: images.frame(key).image
    recording = open_recording(path, RecordingConfig())
    return tuple(stamp.key for stamp in recording.stamps), recording.left


class Frames(CalibrationDataReader):  # type: ignore[misc]
    """Feeds a stream of images, (H, W, 3) uint8, to the calibration, once."""

    def __init__(self, name: str, images: Iterator[np.ndarray]) -> None:
        self.name, self.images = name, images

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image by the input's name, (1, H, W, 3) uint8; None after the last."""
        image = next(self.images, None)
        return None if image is None else {self.name: np.ascontiguousarray(image)[None]}


def quantise(graph: Path, images: Iterator[np.ndarray], out: Path) -> None:
    """Write `graph` with int8 weights per channel and uint8 activations to `out`; ranges are from `images`, (H, W, 3)
    uint8 of the input's size.

    First layer, predictors and box arithmetic stay float32.
    """
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(str(graph), str(plain), skip_symbolic_shape=True)
        model = onnx.load(plain)
        name, metadata = model.graph.input[0].name, list(model.metadata_props)
        options: dict[str, Any] = {"ActivationSymmetric": False, "WeightSymmetric": True}
        quantize_static(
            str(plain),
            str(out),
            Frames(name, images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=list(LAYERS),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept_nodes(model),
            extra_options=options,
        )
    written = onnx.load(out)
    if not written.metadata_props:
        written.metadata_props.extend(metadata)
        onnx.save(written, out)


def kept_nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the layers whose weights are among KEPT."""
    return [
        node.name
        for node in model.graph.node
        if node.op_type in LAYERS and any(part in name for name in node.input for part in KEPT)
    ]
